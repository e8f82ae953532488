import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import type { FieldDefinition, FieldProblem, FieldValues } from '../config/subsystem';
import { parseDuration } from '../settings/units';
import { validateSettings, withoutBlanks } from './settings-validation';

const DEFAULT_CACHE_SIZE = 10_000;
const DEFAULT_CACHE_TTL = 60_000;
const LONGEST_CACHE_TTL = 3_600_000;

export const KMS_FIELDS: readonly FieldDefinition[] = [
  {
    name: 'default_target',
    type: 'string',
    description:
      'KMS used when a request names none; vault:default when it is set up, else builtin:default, unless set.',
    example: 'vault:default',
  },
  {
    name: 'cache_size',
    type: 'integer',
    default: DEFAULT_CACHE_SIZE,
    description: 'Unwrapped data keys kept in memory by each process for reading; 0 asks the KMS every time.',
  },
  {
    name: 'cache_ttl',
    type: 'duration',
    default: '60s',
    description:
      'How long an unwrapped data key is kept: the longest that withdrawing a key in the KMS takes to bite here.',
  },
];

/** Fields of the `kms` document. */
export class KmsSettingsDto {
  @IsOptional()
  @Matches(/^[a-z][a-z0-9_]*:[^/:\s]+$/, { message: 'default_target must be <type>:<target>, such as vault:default' })
  default_target?: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  cache_size?: number;
}

/** Settings over all KMS targets. */
export interface KmsSettings {
  /** `<type>:<target>`; undefined leaves the choice to the service. */
  readonly defaultTarget: string | undefined;
  readonly cache: { readonly maxEntries: number; /** Milliseconds. */ readonly ttl: number };
}

/** Checks the `kms` document. */
export async function validateKmsSettings(values: FieldValues): Promise<FieldProblem[]> {
  const problems = await validateSettings(KmsSettingsDto, values);
  return kmsSettings(values).cache.ttl > LONGEST_CACHE_TTL
    ? [...problems, { field: 'cache_ttl', message: 'cache_ttl must be at most 1h' }]
    : problems;
}

/** Makes settings of validated fields. */
export function kmsSettings(values: FieldValues): KmsSettings {
  const fields = withoutBlanks(values);
  const size = fields['cache_size'];
  return {
    defaultTarget: 'default_target' in fields ? String(fields['default_target']) : undefined,
    cache: {
      maxEntries: typeof size === 'number' ? size : DEFAULT_CACHE_SIZE,
      ttl: parseDuration(String(fields['cache_ttl'] ?? '')) ?? DEFAULT_CACHE_TTL,
    },
  };
}
