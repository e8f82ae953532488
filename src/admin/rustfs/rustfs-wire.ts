import type { KeyState } from '../../kms/kms-provider';
import type { KeyImpact } from '../keys/key-impact';
import type { KeyDetails } from '../keys/key-lifecycle.service';
import type { RustfsImpactDto, RustfsKeyAnswerDto, RustfsKeyMetadataDto, RustfsListedKeyDto } from './rustfs-keys.dto';

const USAGE = 'EncryptDecrypt';
const ORIGIN = 'RUSTFS_KMS';
const SCANNED = ['bucket-default-encryption', 'service-default-key', 'objects', 'multipart-uploads', 'second-seals'];
const STATES: Readonly<Record<KeyState, string>> = {
  enabled: 'Enabled',
  disabled: 'Disabled',
  'pending-deletion': 'PendingDeletion',
};

/** A key as RustFS describes one. */
export function toKeyMetadata(key: KeyDetails): RustfsKeyMetadataDto {
  return {
    key_id: key.keyId,
    key_state: STATES[key.state],
    key_usage: USAGE,
    description: key.description ?? null,
    creation_date: key.createdAt ?? null,
    deletion_date: key.deletionDate ?? null,
    origin: ORIGIN,
    key_manager: 'RUSTFS',
    tags: key.tags,
  };
}

/** A key as RustFS lists one: with an enabled key called active. */
export function toListedKey(key: KeyDetails): RustfsListedKeyDto {
  const newest = key.versions?.find((each) => each.version === key.latestVersion);
  const hasTurned = key.latestVersion !== undefined && key.versions?.[0]?.version !== key.latestVersion;
  return {
    key_id: key.keyId,
    description: key.description ?? null,
    algorithm: 'AES_256',
    usage: USAGE,
    status: key.state === 'enabled' ? 'Active' : STATES[key.state],
    key_state: STATES[key.state],
    version: versionNumber(key.latestVersion),
    metadata: { origin: ORIGIN },
    tags: key.tags,
    created_at: key.createdAt ?? null,
    created_by: key.createdBy ?? null,
    rotated_at: hasTurned ? (newest?.createdAt ?? null) : null,
    rotation_due: key.rotation?.due === true,
    ...(key.rotation?.due === true ? { rotation_due_reason: key.rotation.reason?.replaceAll('-', '_') } : {}),
  };
}

/** What deleting a key would destroy. Objects and uploads are counted, so nothing is left unscanned. */
export function toImpact({ keyId, references }: KeyImpact): RustfsImpactDto {
  return {
    key_id: keyId,
    references,
    coverage: { scanned: SCANNED, not_scanned: [] },
    completeness: 'exact',
  };
}

/** The answer of every route that changes one key. */
export function toKeyAnswer(key: KeyDetails, message: string): RustfsKeyAnswerDto {
  return { success: true, message, key_id: key.keyId, key_metadata: toKeyMetadata(key) };
}

/** Some KMSs name their versions with words; RustFS has numbers only. */
function versionNumber(version: string | undefined): number {
  return version !== undefined && /^\d{1,15}$/.test(version) ? Number(version) : 1;
}
