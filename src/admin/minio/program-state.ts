import { availableParallelism, cpus } from 'node:os';
import type { KmsTargetStatus } from '../../kms/kms-target';
import type { ProgramStateDto } from '../kms.dto';
import { programVersion } from '../program-version';

const NANOSECONDS = 1_000_000_000;

/** This process in the words that MinIO has for KES. @param health of the KMS behind it */
export function programState(health: KmsTargetStatus['health']): ProgramStateDto {
  return {
    Version: programVersion(),
    KeyStoreReachable: health === 'online',
    KeystoreAvailable: health === 'online',
    OS: process.platform,
    Arch: process.arch,
    UpTime: Math.round(process.uptime() * NANOSECONDS),
    CPUs: cpus().length,
    UsableCPUs: availableParallelism(),
    HeapAlloc: process.memoryUsage().heapUsed,
  };
}
