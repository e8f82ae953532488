import { Injectable } from '@nestjs/common';
import { KmsService, type KmsKey } from '../kms/kms.service';
import { AdminAuthorizer } from './admin-authorizer.service';
import type { AdminRequest } from './admin-request';
import { KeyResources } from './key-resources.service';
import { KeyLifecycleService } from './keys/key-lifecycle.service';
import { programState } from './minio/program-state';
import type { KeyListEntryDto, KeyListQuery, KeyTrialDto, KmsKeyDto, KmsStatusDto } from './kms.dto';

const LIST_ACTIONS = ['kms:ListKeys', 'admin:KMSKeyStatus'];
const PAGE = 1_000;
const MOST_LISTED = 10_000;
/** Clients of MinIO are written in Go and refuse an empty time; this is Go's zero. */
const NO_TIME = '0001-01-01T00:00:00Z';

/** The KMS operations that several admin routes offer under different names. */
@Injectable()
export class KmsAdminService {
  constructor(
    private readonly kms: KmsService,
    private readonly authorizer: AdminAuthorizer,
    private readonly keyResources: KeyResources,
    private readonly keys: KeyLifecycleService,
  ) {}

  status(): KmsStatusDto {
    const targets = this.kms.status();
    const main = targets.find((target) => target.isDefault);
    const health = main?.health ?? 'unknown';
    return {
      name: `Strongroom ${main?.kms ?? ''}`.trim(),
      'default-key-id': main?.defaultKeyId ?? '',
      endpoints: Object.fromEntries(
        targets.map((target) => [target.kms, target.health === 'unknown' ? 'initializing' : target.health]),
      ),
      state: programState(health),
      backend_type: main?.type ?? '',
      backend_status: { online: 'healthy', offline: 'unhealthy', unknown: 'unknown' }[health],
      default_key_id: main?.defaultKeyId ?? '',
      targets,
    };
  }

  /** @throws KmsError `kms-key-exists`, `kms-unsupported` */
  async create(keyReference: string): Promise<KmsKeyDto> {
    return toKeyDto(await this.kms.createKey(keyReference));
  }

  /** @throws KmsError `kms-key-not-found`, `kms-unsupported` */
  async rotate(keyReference: string | undefined): Promise<KmsKeyDto> {
    return toKeyDto(await this.keys.rotate(keyReference));
  }

  /** @throws KmsError `kms-key-not-found` */
  async describe(keyReference: string | undefined): Promise<KmsKeyDto> {
    return toKeyDto(await this.kms.describeKey(keyReference));
  }

  /** @throws KmsError `kms-key-not-found`, `kms-unsupported` */
  async setEnabled(keyReference: string | undefined, enabled: boolean): Promise<KmsKeyDto> {
    const { kms, keyId } = this.kms.resolve(keyReference);
    return toKeyDto(await this.kms.setKeyEnabled(`${kms}/${keyId}`, enabled));
  }

  /** Makes and unwraps a data key; failures of the KMS are part of the answer. */
  async tryKey(keyReference: string | undefined): Promise<KeyTrialDto> {
    const trial = await this.kms.tryKey(keyReference);
    return {
      'key-id': trial.keyId,
      version: trial.keyVersion,
      'encryption-error': trial.encryptionError?.message,
      'decryption-error': trial.decryptionError?.message,
    };
  }

  /**
   * Lists the keys that the caller may see.
   *
   * @throws AdminError `AccessDenied` when the caller may not list keys in general and sees none of these
   */
  async list(request: AdminRequest, query: KeyListQuery): Promise<KeyListEntryDto[]> {
    const visible: KmsKey[] = [];
    for (const key of await this.allKeys(query)) {
      if (await this.authorizer.allows(request, LIST_ACTIONS, this.keyResources.ofKey(key.kms, key.keyId))) {
        visible.push(key);
      }
    }
    if (visible.length === 0) {
      await this.authorizer.require(request, LIST_ACTIONS, '*');
    }
    return visible.map((key) => ({
      name: key.keyId,
      createdAt: key.createdAt?.toISOString() ?? NO_TIME,
      createdBy: key.createdBy ?? '',
    }));
  }

  private async allKeys({ kms, pattern = '*' }: KeyListQuery): Promise<KmsKey[]> {
    const wildcard = /[*?]/.test(pattern) ? pattern : `${pattern}*`;
    const keys: KmsKey[] = [];
    let marker: string | undefined;
    do {
      const page = await this.kms.listKeys(kms, wildcard, marker, PAGE);
      keys.push(...page.keys);
      marker = page.nextMarker;
    } while (marker !== undefined && keys.length < MOST_LISTED);
    return keys;
  }
}

/** A key in the words of the wire. */
export function toKeyDto(key: KmsKey): KmsKeyDto {
  return {
    key_id: key.keyId,
    kms: key.kms,
    state: key.state,
    algorithm: key.algorithm,
    latest_version: key.latestVersion,
    wrapping_version: key.wrappingVersion,
    versions: key.versions,
    created_at: key.createdAt,
    created_by: key.createdBy,
    deletion_date: key.deletionDate,
    state_kept_here: key.stateKeptHere,
  };
}
