import { Injectable, Logger, Optional } from '@nestjs/common';
import { AuditTrail } from '../common/audit-trail';
import { KmsError } from '../kms/kms-error';
import { KmsService } from '../kms/kms.service';
import { RewrapService } from '../rewrap/rewrap.service';
import { Clock } from './clock';
import { RotationStates, type RotationStage, type RotationState } from './rotation-state.repository';
import { countRotation } from './rotation.metrics';

const SYSTEM = 'system';
const FIRST_PAUSE = 5 * 60_000;
const LONGEST_PAUSE = 86_400_000;

/**
 * Rotates one key and starts the rewrap job that goes with it. Each step is recorded before the next, so that another
 * process can go on where one died: a key whose newest version has changed meanwhile is not rotated again.
 */
@Injectable()
export class KeyRotator {
  private readonly logger = new Logger(KeyRotator.name);

  constructor(
    private readonly kms: KmsService,
    private readonly states: RotationStates,
    private readonly rewrap: RewrapService,
    private readonly clock: Clock,
    @Optional() private readonly audit?: AuditTrail,
  ) {}

  /** Rotates a key that is due. Never rejects for the KMS's sake: failures are recorded, and tried again later. */
  async rotate(state: RotationState): Promise<void> {
    await this.states.begin(state);
    await this.attempt(state, 'rotating', () => this.turn(state));
  }

  /** Goes on with what somebody else began. */
  async resume(state: RotationState): Promise<void> {
    if (state.stage === 'rewrapping') {
      await this.attempt(state, 'rewrapping', () => this.startRewrap(state));
      return;
    }
    await this.attempt(state, 'rotating', async () => {
      const { latestVersion } = await this.kms.describeKey(referenceOf(state));
      await (latestVersion === undefined || latestVersion === state.fromVersion
        ? this.turn(state)
        : this.turned(state, latestVersion));
    });
  }

  private async turn(state: RotationState): Promise<void> {
    const { latestVersion } = await this.kms.rotateKey(referenceOf(state));
    await this.turned(state, latestVersion);
  }

  private async turned(state: RotationState, version: string | undefined): Promise<void> {
    const { kms, keyId, reason, fromVersion, rewrap } = state;
    await this.states.rotated(kms, keyId, version, this.clock.now(), rewrap);
    countRotation(kms, 'success');
    this.logger.log(`Key ${kms}/${keyId} was rotated (${reason ?? 'due'})`);
    await this.record(state, 'KmsRotateKey', version, { reason, fromVersion });
    if (rewrap) {
      await this.attempt({ ...state, attempts: 0 }, 'rewrapping', () => this.startRewrap(state));
    }
  }

  private async startRewrap(state: RotationState): Promise<void> {
    const { kms, keyId } = state;
    const { id } = await this.rewrap.create({ selection: { kms, keyId }, dryRun: false, createdBy: SYSTEM });
    await this.states.rewrapped(kms, keyId, id);
    await this.record(state, 'KmsStartRewrap', undefined, { rewrapJob: id });
  }

  private async attempt(state: RotationState, stage: RotationStage, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { kms, keyId, attempts } = state;
      const isLasting = error instanceof KmsError && !error.retryable;
      const pause = isLasting ? LONGEST_PAUSE : Math.min(FIRST_PAUSE * 2 ** attempts, LONGEST_PAUSE);
      const message = error instanceof Error ? error.message : String(error);
      // After a passing failure nobody knows whether the KMS has rotated, so the next one has to look.
      const next = stage === 'rotating' && isLasting ? 'idle' : stage;
      await this.states.failed(state, next, new Date(this.clock.now().getTime() + pause), message);
      this.logger.warn(
        `Key ${kms}/${keyId} could not be ${stage === 'rotating' ? 'rotated' : 'rewrapped'}: ${message}`,
      );
      if (stage === 'rotating') {
        countRotation(kms, 'failure');
      }
      const kind = error instanceof KmsError ? error.kind : 'internal';
      const operation = stage === 'rotating' ? 'KmsRotateKey' : 'KmsStartRewrap';
      await this.record(state, operation, undefined, { reason: state.reason }, kind);
    }
  }

  private async record(
    { kms, keyId }: RotationState,
    operation: string,
    keyVersion: string | undefined,
    details: Readonly<Record<string, string | undefined>>,
    errorClass?: string,
  ): Promise<void> {
    const told = Object.entries(details).filter((entry): entry is [string, string] => entry[1] !== undefined);
    await this.audit?.record({
      category: 'kms',
      operation,
      principal: SYSTEM,
      outcome: errorClass === undefined ? 'success' : 'failure',
      errorClass,
      kms,
      keyId,
      keyVersion,
      details: Object.fromEntries(told),
    });
  }
}

function referenceOf({ kms, keyId }: RotationState): string {
  return `${kms}/${keyId}`;
}
