import { Injectable } from '@nestjs/common';
import { KeyWrapsRepository, type KeyWraps } from '../kms/key-wraps.repository';
import type { KmsKey } from '../kms/kms.service';
import { Clock } from './clock';
import { judgeRotation, type RotationFacts, type RotationVerdict } from './rotation-policy';
import { RotationPolicies, type RotationPolicy } from './rotation-policy.repository';
import { RotationStates, type RotationState } from './rotation-state.repository';

/** How a key stands with its rotation. */
export interface RotationReadout extends RotationVerdict {
  /** The policy in force, where there is one. */
  readonly policy?: RotationPolicy;
  /** Data keys that the newest version has wrapped, at most. */
  readonly wraps: number;
  readonly since?: Date;
  readonly state?: RotationState;
}

/** Tells how keys stand with their rotation. */
@Injectable()
export class RotationService {
  constructor(
    private readonly policies: RotationPolicies,
    private readonly states: RotationStates,
    private readonly wraps: KeyWrapsRepository,
    private readonly clock: Clock,
  ) {}

  /** Readouts by key id, for keys of one KMS. */
  async readouts(kms: string, keys: readonly KmsKey[]): Promise<ReadonlyMap<string, RotationReadout>> {
    const keyIds = keys.map(({ keyId }) => keyId);
    const [policies, states, wraps] = await Promise.all([
      this.policies.effective(kms, keyIds),
      this.states.find(kms, keyIds),
      this.wraps.find(kms, keyIds),
    ]);
    const now = this.clock.now();
    return new Map(
      keys.map((key) => {
        const policy = policies.get(key.keyId);
        const state = states.get(key.keyId);
        const facts = rotationFacts(
          key,
          state,
          wraps.find((each) => each.keyId === key.keyId && each.keyVersion === (versionInUse(key) ?? '')),
        );
        const { wraps: used, since } = facts;
        return [key.keyId, { policy, state, wraps: used, since, ...judgeRotation(policy, facts, now) }];
      }),
    );
  }

  /** Records a rotation that an administrator asked for. */
  async rotated({ kms, keyId, latestVersion }: KmsKey): Promise<void> {
    await this.states.rotated(kms, keyId, latestVersion, this.clock.now());
  }

  /** Forgets what an earlier key of that name left. */
  async forget(kms: string, keyId: string): Promise<void> {
    await Promise.all([
      this.policies.remove(kms, keyId),
      this.states.forget(kms, keyId),
      this.wraps.forget(kms, keyId),
    ]);
  }
}

function versionInUse({ wrappingVersion, latestVersion }: KmsKey): string | undefined {
  return wrappingVersion ?? latestVersion;
}

/** Since when the version that wraps is in use, from whoever knows best: the KMS, the record of its rotation, its first use. */
function rotationFacts(key: KmsKey, state: RotationState | undefined, used: KeyWraps | undefined): RotationFacts {
  const { latestVersion, versions, createdAt } = key;
  const inUse = versionInUse(key);
  const told = versions?.find(({ version }) => version === inUse)?.createdAt;
  const recorded = state?.version !== undefined && state.version === inUse ? state.rotatedAt : undefined;
  // A KMS whose clock is behind must not make a key look old that has just been rotated.
  const newest = told !== undefined && recorded !== undefined && recorded > told ? recorded : (told ?? recorded);
  const several = (versions?.length ?? 0) > 1 || (latestVersion !== undefined && Number(latestVersion) > 1);
  return {
    since: newest ?? used?.firstAt ?? createdAt,
    wraps: used?.wraps ?? 0,
    rotatedBefore: several || recorded !== undefined,
  };
}
