import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { KeyWrapsRepository } from '../kms/key-wraps.repository';
import { KmsError } from '../kms/kms-error';
import { KmsService, type KmsKey } from '../kms/kms.service';
import { Clock } from './clock';
import { KeyRotator } from './key-rotator.service';
import { RotationLease } from './rotation-lease.repository';
import { MOST_WRAPS } from './rotation-policy';
import { RotationPolicies } from './rotation-policy.repository';
import { RotationService, type RotationReadout } from './rotation.service';
import { RotationStates } from './rotation-state.repository';
import { showDue } from './rotation.metrics';

const TICK = 60_000;
const PAUSE_SECONDS = 300;
/** Longer than one key may take, retries included. */
const LEASE_SECONDS = 600;
const PAGE = 500;
/** What a provider says of a key that it lists but cannot read. */
const UNREADABLE = 'unknown';

/** Thrown to end a round whose turn has passed to another process. */
class TurnLost extends Error {}

/**
 * Rotates keys when their policies say so. Every process asks for the turn once a minute; one of them gets it and looks at
 * every key that has a policy. Keys that are due and not rotated are counted in a metric, in every process alike.
 */
@Injectable()
export class RotationScheduler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RotationScheduler.name);
  private readonly holder = randomUUID();
  private ticker: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly lease: RotationLease,
    private readonly kms: KmsService,
    private readonly policies: RotationPolicies,
    private readonly states: RotationStates,
    private readonly wraps: KeyWrapsRepository,
    private readonly rotation: RotationService,
    private readonly rotator: KeyRotator,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.ticker = setInterval(() => {
      this.running ??= this.tick().finally(() => (this.running = undefined));
    }, TICK);
    this.ticker.unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.ticker);
    await this.running;
  }

  /** Does a round when it is this process's turn, and shows what is due. Never rejects. */
  async tick(): Promise<void> {
    try {
      if (await this.lease.take(this.holder, LEASE_SECONDS)) {
        await this.round().finally(() => this.lease.end(this.holder, PAUSE_SECONDS));
      }
      showDue(await this.states.countDue());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(`Rotations were not looked after, and will be: ${reason}`);
    }
  }

  private async round(): Promise<void> {
    const startedAt = this.clock.now();
    try {
      for (const state of await this.states.unfinished(startedAt)) {
        await this.keepTurn();
        await this.rotator.resume(state);
      }
      const looked: string[] = [];
      for (const [kms, keyIds] of await this.keysToLookAt()) {
        if (await this.lookAt(kms, keyIds, startedAt)) {
          looked.push(kms);
        }
      }
      await this.states.endRound(await this.withGoneTargets(looked), startedAt);
    } catch (error) {
      if (!(error instanceof TurnLost)) {
        throw error;
      }
    }
  }

  /** Keys by KMS; undefined for all of them. */
  private async keysToLookAt(): Promise<ReadonlyMap<string, ReadonlySet<string> | undefined>> {
    const found = new Map<string, Set<string> | undefined>();
    const add = (kms: string, keyId: string | undefined): void => {
      const known = found.has(kms) ? found.get(kms) : new Set<string>();
      found.set(kms, keyId === undefined ? undefined : known?.add(keyId));
    };
    for (const { kms, keyId } of await this.policies.list()) {
      add(kms, keyId);
    }
    for (const { kms, keyId } of await this.wraps.atLeast(MOST_WRAPS)) {
      add(kms, keyId);
    }
    return found;
  }

  /** False when the KMS could not be asked about its keys. */
  private async lookAt(kms: string, keyIds: ReadonlySet<string> | undefined, startedAt: Date): Promise<boolean> {
    try {
      let marker: string | undefined;
      do {
        const page = keyIds === undefined ? await this.kms.listKeys(kms, '', marker, PAGE) : undefined;
        const keys = page?.keys ?? (await this.describe(kms, [...(keyIds ?? [])]));
        const readable = keys.filter(({ algorithm }) => algorithm !== UNREADABLE);
        const readouts = await this.rotation.readouts(kms, readable);
        for (const key of readable) {
          await this.keepTurn();
          await this.judge(key, readouts.get(key.keyId), startedAt);
        }
        marker = page?.nextMarker;
      } while (marker !== undefined);
      return true;
    } catch (error) {
      if (error instanceof KmsError) {
        this.logger.warn(`The keys of ${kms} were not looked at: ${error.message}`);
        return false;
      }
      throw error;
    }
  }

  private async judge(key: KmsKey, readout: RotationReadout | undefined, startedAt: Date): Promise<void> {
    const { kms, keyId, latestVersion } = key;
    // A key that is disabled or waits for its deletion wraps nothing, and no KMS would rotate it.
    const reason = key.state === 'enabled' && readout?.due === true ? readout.reason : undefined;
    await this.states.look(kms, keyId, reason, startedAt);
    const { policy, state } = readout ?? {};
    const isPaused = state?.nextAttemptAt !== undefined && state.nextAttemptAt > startedAt;
    const underWay = state !== undefined && state.stage !== 'idle';
    if (reason !== undefined && policy?.automatic === true && !isPaused && !underWay && this.canRotate(kms)) {
      const attempts = state?.attempts ?? 0;
      const { rewrap } = policy;
      await this.rotator.rotate({
        kms,
        keyId,
        stage: 'rotating',
        reason,
        fromVersion: latestVersion,
        rewrap,
        attempts,
      });
    }
  }

  private async describe(kms: string, keyIds: readonly string[]): Promise<KmsKey[]> {
    const keys: KmsKey[] = [];
    for (const keyId of keyIds) {
      try {
        keys.push(await this.kms.describeKey(`${kms}/${keyId}`));
      } catch (error) {
        if (!(error instanceof KmsError) || error.retryable || error.kind === 'kms-not-configured') {
          throw error;
        }
      }
    }
    return keys;
  }

  private canRotate(kms: string): boolean {
    return this.kms.status().some((target) => target.kms === kms && target.capabilities?.rotateKey === true);
  }

  /** What is known of a KMS that is only away stays; that of one which is no more goes. */
  private async withGoneTargets(looked: readonly string[]): Promise<string[]> {
    const there = new Set(this.kms.status().map(({ kms }) => kms));
    const due = new Set((await this.states.countDue()).map(({ kms }) => kms));
    const policies = new Set((await this.policies.list()).map(({ kms }) => kms));
    return [...looked, ...[...due].filter((kms) => !there.has(kms) || !policies.has(kms))];
  }

  private async keepTurn(): Promise<void> {
    if (this.stopping || !(await this.lease.renew(this.holder, LEASE_SECONDS))) {
      throw new TurnLost();
    }
  }
}
