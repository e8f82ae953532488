import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { annotateAudit } from '../../common/audit-trail';
import type { EncryptionContext } from '../../common/encryption-context';
import { KeyNotes, type KeyNote } from '../../kms/key-notes.repository';
import { KmsService, type KmsKey } from '../../kms/kms.service';
import { KeyUsageService } from '../../object-storage/key-usage.service';
import { RotationService, type RotationReadout } from '../../rotation/rotation.service';
import { AdminAuthorizer } from '../admin-authorizer.service';
import { AdminError } from '../admin-error';
import type { AdminRequest } from '../admin-request';
import { KeyResources } from '../key-resources.service';
import { impactOf, type KeyImpact } from './key-impact';

/** A key with what people wrote about it. */
export type KeyDetails = KmsKey & KeyNote & { readonly rotation?: RotationReadout };

export interface NewKey extends Partial<KeyNote> {
  /** A key reference; a fresh name in the default KMS unless given. */
  readonly reference?: string;
  /** 32 bytes to import; made by the KMS unless given. */
  readonly material?: Buffer;
}

export interface KeyQueryOptions {
  /** `<type>:<target>`; the default KMS unless given. */
  readonly kms?: string;
  readonly pattern: string;
  readonly marker?: string;
  readonly limit: number;
}

export interface KeyDetailsPage {
  readonly kms: string;
  readonly keys: readonly KeyDetails[];
  readonly nextMarker?: string;
}

const CREATE_ACTIONS = ['kms:CreateKey', 'admin:KMSCreateKey'];
const IMPORT_ACTIONS = ['kms:ImportKey', 'kms:CreateKey', 'admin:KMSCreateKey'];
const LIST_ACTIONS = ['kms:ListKeys', 'admin:KMSKeyStatus'];
const MIN_DAYS = 7;
const MAX_DAYS = 30;

/** The life of keys in every KMS: made or imported, described, tagged, and deleted with open eyes. */
@Injectable()
export class KeyLifecycleService {
  constructor(
    private readonly kms: KmsService,
    private readonly notes: KeyNotes,
    private readonly usage: KeyUsageService,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
    private readonly rotation: RotationService,
  ) {}

  /**
   * Creates or imports a key, if the caller may do so under its name.
   *
   * @throws AdminError `AccessDenied`; KmsError `kms-key-exists`, `kms-unsupported`, `kms-invalid-request`
   */
  async create(request: AdminRequest, { reference = randomUUID(), material, ...note }: NewKey): Promise<KeyDetails> {
    const actions = material === undefined ? CREATE_ACTIONS : IMPORT_ACTIONS;
    await this.authorizer.require(request, actions, this.keyResources.ofReference(reference));
    const key = await (material === undefined
      ? this.kms.createKey(reference)
      : this.kms.importKey(reference, material));
    const written = { description: note.description, tags: note.tags ?? {} };
    await this.notes.replace(key.kms, key.keyId, written);
    await this.rotation.forget(key.kms, key.keyId);
    return withNote(key, written);
  }

  /** @throws KmsError `kms-key-not-found` */
  async describe(reference: string | undefined): Promise<KeyDetails> {
    const key = await this.kms.describeKey(reference);
    const rotation = (await this.rotation.readouts(key.kms, [key])).get(key.keyId);
    return { ...(await this.withNote(key)), rotation };
  }

  /**
   * One page of keys. Those the caller may not see are left out of it, so that a page may have fewer than asked for.
   *
   * @throws AdminError `AccessDenied` when the caller may not list keys in general and sees none of these
   */
  async list(request: AdminRequest, { kms, pattern, marker, limit }: KeyQueryOptions): Promise<KeyDetailsPage> {
    const page = await this.kms.listKeys(kms, pattern, marker, limit);
    const visible: KmsKey[] = [];
    for (const key of page.keys) {
      if (await this.authorizer.allows(request, LIST_ACTIONS, this.keyResources.ofKey(key.kms, key.keyId))) {
        visible.push(key);
      }
    }
    if (visible.length === 0) {
      await this.authorizer.require(request, LIST_ACTIONS, '*');
    }
    const keyIds = visible.map((key) => key.keyId);
    const [notes, rotations] = await Promise.all([
      this.notes.find(page.kms, keyIds),
      this.rotation.readouts(page.kms, visible),
    ]);
    return {
      kms: page.kms,
      keys: visible.map((key) => ({ ...withNote(key, notes.get(key.keyId)), rotation: rotations.get(key.keyId) })),
      nextMarker: page.nextMarker,
    };
  }

  /** What hangs on a key. @throws KmsError `kms-key-not-found` */
  async impact(reference: string | undefined): Promise<KeyImpact> {
    const { kms, keyId } = await this.kms.describeKey(reference);
    return impactOf(await this.usage.usageOf(kms, keyId), this.isServiceDefault(kms, keyId));
  }

  /**
   * Schedules the deletion of a key. One that anything hangs on is only deleted for a caller who repeats its id: that is
   * how data is shredded on purpose. What would be lost goes into the audit log.
   *
   * @param days 7 to 30
   * @param confirmed the id of the key or its full reference, where the caller has seen the impact and wants it
   * @throws AdminError `KeyStillReferenced`; KmsError `kms-unsupported`, `kms-key-not-found`, `kms-invalid-request`
   */
  async scheduleDeletion(
    keyReference: string,
    days: number,
    confirmed: string | undefined,
  ): Promise<{ readonly key: KeyDetails; readonly impact: KeyImpact }> {
    if (!Number.isInteger(days) || days < MIN_DAYS || days > MAX_DAYS) {
      throw new AdminError('InvalidRequest', `A key waits ${MIN_DAYS} to ${MAX_DAYS} days for its deletion`, [
        { field: 'pending_window_in_days', message: `must be ${MIN_DAYS} to ${MAX_DAYS}` },
      ]);
    }
    const impact = await this.impact(keyReference);
    const { objects, bytes, uploads, bucketDefaults } = impact.usage;
    annotateAudit({
      kms: impact.kms,
      keyId: impact.keyId,
      details: {
        objects: String(objects),
        bytes: String(bytes),
        uploads: String(uploads),
        bucketDefaults: String(bucketDefaults.length),
        days: String(days),
      },
    });
    const reference = `${impact.kms}/${impact.keyId}`;
    const isConfirmed = confirmed === impact.keyId || confirmed === reference;
    if (impact.references.length > 0 && !isConfirmed) {
      throw stillReferenced(impact);
    }
    const key = await this.kms.scheduleKeyDeletion(reference, days, isConfirmed);
    return { key: await this.withNote(key), impact };
  }

  /** The key comes back disabled, as in AWS KMS. @throws KmsError `kms-unsupported`, `kms-invalid-request` */
  async cancelDeletion(reference: string): Promise<KeyDetails> {
    return this.withNote(await this.kms.cancelKeyDeletion(reference));
  }

  /** @throws KmsError `kms-unsupported`, `kms-key-not-found` */
  async setEnabled(reference: string, enabled: boolean): Promise<KeyDetails> {
    return this.withNote(await this.kms.setKeyEnabled(reference, enabled));
  }

  /** @throws KmsError `kms-unsupported`, `kms-key-not-found` */
  async rotate(reference: string | undefined): Promise<KeyDetails> {
    const key = await this.kms.rotateKey(reference);
    await this.rotation.rotated(key);
    return this.withNote(key);
  }

  /** @throws KmsError `kms-key-not-found` */
  async updateDescription(reference: string, description: string): Promise<KeyDetails> {
    const key = await this.kms.describeKey(reference);
    await this.notes.describe(key.kms, key.keyId, description);
    return this.withNote(key);
  }

  /** @throws KmsError `kms-key-not-found` */
  async tag(reference: string, tags: Readonly<Record<string, string>>): Promise<KeyDetails> {
    const key = await this.kms.describeKey(reference);
    await this.notes.tag(key.kms, key.keyId, tags);
    return this.withNote(key);
  }

  /** @throws KmsError `kms-key-not-found` */
  async untag(reference: string, names: readonly string[]): Promise<KeyDetails> {
    const key = await this.kms.describeKey(reference);
    await this.notes.untag(key.kms, key.keyId, names);
    return this.withNote(key);
  }

  /**
   * Changes what people wrote about a key, if the caller may do each part of it. A tag of null is removed.
   *
   * @throws AdminError `AccessDenied`; KmsError `kms-key-not-found`
   */
  async change(
    request: AdminRequest,
    reference: string,
    change: { readonly description?: string; readonly tags: ReadonlyMap<string, string | null> },
  ): Promise<KeyDetails> {
    const set = [...change.tags].filter((tag): tag is [string, string] => tag[1] !== null);
    const removed = [...change.tags].filter(([, value]) => value === null).map(([name]) => name);
    const resource = this.keyResources.ofReference(reference);
    const needed = [
      ...(change.description === undefined ? [] : ['kms:UpdateKeyDescription']),
      ...(set.length === 0 ? [] : ['kms:TagResource']),
      ...(removed.length === 0 ? [] : ['kms:UntagResource']),
    ];
    for (const action of needed.length === 0 ? ['kms:DescribeKey'] : needed) {
      await this.authorizer.require(request, [action], resource);
    }
    const key = await this.kms.describeKey(reference);
    if (change.description !== undefined) {
      await this.notes.describe(key.kms, key.keyId, change.description);
    }
    await this.notes.untag(key.kms, key.keyId, removed);
    await this.notes.tag(key.kms, key.keyId, Object.fromEntries(set));
    return this.withNote(key);
  }

  /**
   * A data key for the caller's own use.
   *
   * @returns base64 of the plaintext and of the wrapped key
   * @throws KmsError
   */
  async generateDataKey(
    reference: string,
    context: EncryptionContext,
  ): Promise<{ readonly keyId: string; readonly plaintext: string; readonly ciphertext: string }> {
    const { plaintext, wrapped } = await this.kms.generate(reference, context);
    const answer = {
      keyId: wrapped.keyId,
      plaintext: plaintext.toString('base64'),
      ciphertext: wrapped.ciphertext.toString('base64'),
    };
    plaintext.fill(0);
    return answer;
  }

  private async withNote(key: KmsKey): Promise<KeyDetails> {
    return withNote(key, (await this.notes.find(key.kms, [key.keyId])).get(key.keyId));
  }

  private isServiceDefault(kms: string, keyId: string): boolean {
    return this.kms.status().some((target) => target.isDefault && target.kms === kms && target.defaultKeyId === keyId);
  }
}

function withNote(key: KmsKey, note: KeyNote | undefined): KeyDetails {
  return { ...key, description: note?.description ?? key.description, tags: note?.tags ?? {} };
}

function stillReferenced({ keyId, references, usage }: KeyImpact): AdminError {
  const summary = references.map(({ kind, id, detail }) => `${kind}${id === '' ? '' : ` ${id}`}: ${detail}`);
  return new AdminError(
    'KeyStillReferenced',
    `Key ${keyId} is in use: ${summary.slice(0, 10).join('; ')}${summary.length > 10 ? '; …' : ''}`,
    [],
    {
      details: {
        key_id: keyId,
        objects: String(usage.objects),
        bytes: String(usage.bytes),
        uploads: String(usage.uploads),
        bucket_defaults: usage.bucketDefaults.join(','),
      },
      remedy: `Move what hangs on it to another key; or, to destroy it, repeat the request with confirm_key_id "${keyId}"`,
    },
  );
}
