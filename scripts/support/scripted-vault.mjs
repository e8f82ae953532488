/** Compiles the tests' transit server on the fly and starts it, so that the demonstration needs no Vault. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Transpiles every file of test/fakes beside the compiled program, so that its relative imports still resolve. */
function compileFakes() {
  const from = join(root, 'test', 'fakes');
  const to = join(root, 'dist', 'test', 'fakes');
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))) {
    const { outputText } = ts.transpileModule(readFileSync(join(from, name), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, experimentalDecorators: true },
      fileName: name,
    });
    writeFileSync(join(to, name.replace(/\.ts$/, '.js')), outputText);
  }
  return to;
}

/** @returns {Promise<{url: string, token: string, stop: () => Promise<void>}>} */
export async function startScriptedVault() {
  const { startVaultServer } = createRequire(import.meta.url)(join(compileFakes(), 'vault-server.js'));
  const server = await startVaultServer();
  return { url: server.url, token: server.rootToken, stop: () => server.close() };
}
