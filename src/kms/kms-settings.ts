import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import type { FieldDefinition, FieldProblem, FieldValues } from '../config/subsystem';
import { parseDuration } from '../settings/units';
import { validateSettings, withoutBlanks } from './settings-validation';

/** A key with the KMS it lives in, so that it means the same whatever the default is. */
export const FULL_KEY_REFERENCE = /^[a-z][a-z0-9_]*:[^/:\s]+\/\S+$/;
const DEFAULT_CACHE_SIZE = 10_000;
const DEFAULT_CACHE_TTL = 60_000;
const DEFAULT_PROBE_INTERVAL = 30_000;
const SHORTEST_PROBE_INTERVAL = 5_000;
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
    name: 'escrow_target',
    type: 'string',
    description:
      'Key of another KMS that seals every SSE-KMS object key a second time, so that reads go on without the first; buckets may name another, or none.',
    example: 'vault:eu/key',
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
  {
    name: 'probe_interval',
    type: 'duration',
    default: '30s',
    description:
      'How often each process has a data key made and unwrapped under every default key, for readiness and alerts; 0 never.',
  },
];

/** Fields of the `kms` document. */
export class KmsSettingsDto {
  @IsOptional()
  @Matches(/^[a-z][a-z0-9_]*:[^/:\s]+$/, { message: 'default_target must be <type>:<target>, such as vault:default' })
  default_target?: string;

  @IsOptional()
  @Matches(FULL_KEY_REFERENCE, { message: 'escrow_target must be <type>:<target>/<key>, such as vault:eu/key' })
  escrow_target?: string;

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
  /** `<type>:<target>/<key>`; undefined for no second seal. */
  readonly escrowTarget: string | undefined;
  /** Milliseconds between proofs that the default keys work; 0 for never. */
  readonly probeInterval: number;
  readonly cache: { readonly maxEntries: number; /** Milliseconds. */ readonly ttl: number };
}

/** Checks the `kms` document. */
export async function validateKmsSettings(values: FieldValues): Promise<FieldProblem[]> {
  const problems = await validateSettings(KmsSettingsDto, values);
  const { cache, probeInterval } = kmsSettings(values);
  if (cache.ttl > LONGEST_CACHE_TTL) {
    problems.push({ field: 'cache_ttl', message: 'cache_ttl must be at most 1h' });
  }
  if (probeInterval > 0 && probeInterval < SHORTEST_PROBE_INTERVAL) {
    problems.push({ field: 'probe_interval', message: 'probe_interval must be at least 5s, or 0' });
  }
  return problems;
}

/** Makes settings of validated fields. */
export function kmsSettings(values: FieldValues): KmsSettings {
  const fields = withoutBlanks(values);
  const size = fields['cache_size'];
  return {
    defaultTarget: 'default_target' in fields ? String(fields['default_target']) : undefined,
    escrowTarget: 'escrow_target' in fields ? String(fields['escrow_target']) : undefined,
    probeInterval: parseDuration(String(fields['probe_interval'] ?? '')) ?? DEFAULT_PROBE_INTERVAL,
    cache: {
      maxEntries: typeof size === 'number' ? size : DEFAULT_CACHE_SIZE,
      ttl: parseDuration(String(fields['cache_ttl'] ?? '')) ?? DEFAULT_CACHE_TTL,
    },
  };
}
