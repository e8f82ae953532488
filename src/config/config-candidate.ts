import { documentName, type DocumentAddress } from './config-document';
import { failedTest, invalidConfig } from './config-error';
import type { ConfigLayers } from './config-overlay';
import { effectiveDocument, effectiveValues, type EffectiveDocument } from './effective-document';
import type { FieldProblem, SubsystemDefinition, TestReport } from './subsystem';

const NOTHING_TO_TEST: TestReport = {
  ok: true,
  milliseconds: 0,
  steps: [{ name: 'connect', outcome: 'skipped', milliseconds: 0, detail: 'This configuration connects to nothing' }],
};

/** Problems of single fields and, for an enabled document, of fields against each other. */
export async function problemsOf(
  definition: SubsystemDefinition,
  document: EffectiveDocument,
): Promise<readonly FieldProblem[]> {
  if (!document.enabled) {
    return document.problems;
  }
  const told = new Set(document.problems.map((problem) => problem.field));
  const further = await definition.validate(effectiveValues(definition, document));
  return [...document.problems, ...further.filter((problem) => !told.has(problem.field))];
}

/**
 * Validates and tests a document before it is written. A disabled one may be incomplete and is never connected to: that is
 * how a KMS in trouble is switched off.
 *
 * @param force write although the connection test failed; never although the fields are wrong
 * @returns the test's report, `undefined` when there was nothing to test
 * @throws ConfigError `config-invalid`, `config-test-failed`
 */
export async function checkCandidate(
  definition: SubsystemDefinition,
  address: DocumentAddress,
  layers: ConfigLayers,
  force: boolean,
): Promise<TestReport | undefined> {
  const candidate = effectiveDocument(definition, address, layers, 0);
  if (!candidate.enabled) {
    return undefined;
  }
  await requireValid(definition, candidate);
  const report = await definition.test?.(address.target, effectiveValues(definition, candidate));
  if (report !== undefined && !report.ok && !force) {
    throw failedTest(documentName(address), report);
  }
  return report;
}

/**
 * Runs the connection test of a document, enabled or not.
 *
 * @throws ConfigError `config-invalid` when the fields are wrong, so that nothing can be connected to
 */
export async function testDocument(definition: SubsystemDefinition, document: EffectiveDocument): Promise<TestReport> {
  await requireValid(definition, { ...document, enabled: true });
  return (await definition.test?.(document.address.target, effectiveValues(definition, document))) ?? NOTHING_TO_TEST;
}

async function requireValid(definition: SubsystemDefinition, document: EffectiveDocument): Promise<void> {
  const problems = await problemsOf(definition, document);
  if (problems.length > 0) {
    throw invalidConfig(documentName(document.address), problems);
  }
}
