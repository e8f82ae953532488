import type { InputProblem } from './identity-error';
import { compileCondition, type CompiledCondition } from './policy-conditions';
import { compilePattern, malformedVariable, type TextPattern } from './policy-pattern';

/** The elements that a statement can have. */
export const STATEMENT_ELEMENTS: ReadonlySet<string> = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);
const MAX_SID_LENGTH = 256;

/** Reads the elements of one statement and collects every problem under its JSON path. */
export class StatementReader {
  constructor(
    private readonly statement: Readonly<Record<string, unknown>>,
    private readonly path: string,
    /** Whether `${…}` is a policy variable in this document. */
    readonly variables: boolean,
    private readonly problems: InputProblem[],
  ) {}

  has(element: string): boolean {
    return this.statement[element] !== undefined;
  }

  value(element: string): unknown {
    return this.statement[element];
  }

  complain(element: string, message: string): void {
    this.problems.push({ field: `${this.path}.${element}`, message });
  }

  rejectUnknownElements(): void {
    for (const element of Object.keys(this.statement)) {
      if (!STATEMENT_ELEMENTS.has(element)) {
        this.complain(element, `is not an element of a statement (${[...STATEMENT_ELEMENTS].join(', ')})`);
      }
    }
  }

  readSid(): string | undefined {
    const sid = this.value('Sid');
    if (sid === undefined) {
      return undefined;
    }
    if (typeof sid !== 'string' || sid.length > MAX_SID_LENGTH) {
      this.complain('Sid', `must be text of at most ${MAX_SID_LENGTH} characters`);
      return undefined;
    }
    return sid;
  }

  readEffect(): 'Allow' | 'Deny' {
    const effect = this.value('Effect');
    if (effect !== 'Allow' && effect !== 'Deny') {
      this.complain('Effect', 'must be "Allow" or "Deny"');
    }
    return effect === 'Allow' ? 'Allow' : 'Deny';
  }

  readActions(): { inverted: boolean; patterns: TextPattern[] } {
    const element = this.oneOf('Action', 'NotAction');
    if (element === undefined) {
      this.complain('Action', 'is missing');
      return { inverted: false, patterns: [] };
    }
    const patterns = this.texts(element).flatMap((action) => {
      if (action !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(action)) {
        this.complain(element, `"${action}" must look like "s3:GetObject", "s3:*" or "*"`);
        return [];
      }
      return [compilePattern(action, { wildcards: true, variables: false, ignoreCase: true })];
    });
    return { inverted: element === 'NotAction', patterns };
  }

  /** A pattern with wildcards and variables; complains about a malformed variable. */
  readPattern(element: string, text: string): TextPattern {
    if (this.variables && malformedVariable(text)) {
      this.complain(element, `has a malformed policy variable in "${text}"`);
    }
    return compilePattern(text, { wildcards: true, variables: this.variables });
  }

  readConditions(): CompiledCondition[] {
    const block = this.value('Condition');
    if (block === undefined) {
      return [];
    }
    if (!isObject(block)) {
      this.complain('Condition', 'must be an object of operators');
      return [];
    }
    return Object.entries(block).flatMap(([operator, lines]) => this.readOperator(operator, lines));
  }

  private readOperator(operator: string, lines: unknown): CompiledCondition[] {
    const element = `Condition.${operator}`;
    if (!isObject(lines)) {
      this.complain(element, 'must be an object of condition keys');
      return [];
    }
    return Object.entries(lines).flatMap(([key, raw]) => {
      if (!/^[A-Za-z0-9.-]+:[\p{L}\p{N} ._:/=+@-]+$/u.test(key)) {
        this.complain(`${element}.${key}`, 'is not a condition key such as "aws:SourceIp"');
        return [];
      }
      const values = conditionValues(raw);
      if (values === undefined) {
        this.complain(`${element}.${key}`, 'must be a value or a list of values');
        return [];
      }
      try {
        return [compileCondition(operator, key, values, this.variables)];
      } catch (error) {
        if (!(error instanceof RangeError)) {
          throw error;
        }
        this.complain(element, error.message);
        return [];
      }
    });
  }

  /** The one of the two elements that is present; complains when both are. */
  oneOf(element: string, inverted: string): string | undefined {
    if (this.has(element) && this.has(inverted)) {
      this.complain(inverted, `cannot stand beside ${element}`);
    }
    return this.has(element) ? element : this.has(inverted) ? inverted : undefined;
  }

  /** A text or a list of texts; complains about anything else. */
  texts(element: string, value: unknown = this.value(element)): string[] {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0 || !list.every((item) => typeof item === 'string' && item !== '')) {
      this.complain(element, 'must be a text or a list of texts');
      return [];
    }
    return list as string[];
  }
}

/** The values of a condition key; numbers and booleans are allowed unquoted, as in AWS. Undefined for anything else. */
export function conditionValues(raw: unknown): string[] | undefined {
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  const texts = list.flatMap((value) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [],
  );
  return texts.length === list.length && texts.length > 0 ? texts : undefined;
}

/** Whether a JSON value is an object, not a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
