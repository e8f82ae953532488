import { createHash } from 'node:crypto';
import { seal, SealedBoxError, unseal } from '../../common/sealed-box';
import { BackupError } from './backup-error';
import type { BackupKek } from './backup-kek';

const FORMAT_VERSION = 1;
const ALGORITHM = 'aes-256-gcm';
const MOST_ARTIFACTS = 16;
const LONGEST_TEXT = 128;

export type ArtifactKind = 'key-material' | 'kms-config';

interface Artifact {
  readonly kind: ArtifactKind;
  readonly path: string;
  /** Bytes, sealed. */
  readonly len: number;
  readonly aead_algorithm: string;
  readonly encrypted_digest: Digest;
}

interface Digest {
  readonly algorithm: 'sha-256';
  readonly hex: string;
}

/** What a bundle says of itself in the clear; names and digests, nothing secret. */
export interface BackupManifest {
  readonly format_version: number;
  readonly backup_id: string;
  readonly created_at: string;
  readonly deployment_identity: string;
  /** Seconds since 1970 when the snapshot was taken. */
  readonly snapshot_generation: number;
  readonly backend: 'Local';
  readonly responsibility: 'full-material';
  readonly backup_kek: { readonly kek_id: string; readonly kek_version: number; readonly aead_algorithm: string };
  readonly artifacts: readonly Artifact[];
  readonly completeness: 'complete';
  readonly manifest_digest: Digest;
}

/** A bundle: its manifest as text, and its artifacts by path. */
export interface BackupBundle {
  readonly manifest: Buffer;
  readonly artifacts: ReadonlyMap<string, Buffer>;
}

/** Where a bundle comes from. */
export type BundleOrigin = Pick<BackupManifest, 'backup_id' | 'deployment_identity' | 'snapshot_generation'>;

/** Seals a bundle. Every artifact is bound to the origin, so that none can be moved to another bundle. */
export function sealBundle(
  kek: BackupKek,
  origin: BundleOrigin,
  contents: readonly (readonly [ArtifactKind, Buffer])[],
): { readonly bundle: BackupBundle; readonly manifest: BackupManifest } {
  const sealed = contents.map(([kind, plaintext]) => {
    const bytes = seal(kek.key, plaintext, purposeOf(origin, kind));
    const artifact: Artifact = {
      kind,
      path: `${kind}.sealed`,
      len: bytes.length,
      aead_algorithm: ALGORITHM,
      encrypted_digest: digestOf(bytes),
    };
    return [artifact, bytes] as const;
  });
  const open: BackupManifest = {
    format_version: FORMAT_VERSION,
    ...origin,
    created_at: new Date(origin.snapshot_generation * 1_000).toISOString(),
    backend: 'Local',
    responsibility: 'full-material',
    backup_kek: { kek_id: kek.id, kek_version: kek.version, aead_algorithm: ALGORITHM },
    artifacts: sealed.map(([artifact]) => artifact),
    completeness: 'complete',
    manifest_digest: { algorithm: 'sha-256', hex: '' },
  };
  const manifest = { ...open, manifest_digest: manifestDigest(open) };
  return {
    manifest,
    bundle: {
      manifest: Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`),
      artifacts: new Map(sealed.map(([{ path }, bytes]) => [path, bytes])),
    },
  };
}

/**
 * Reads a manifest.
 * @throws BackupError `backup-damaged`
 */
export function readManifest(text: Buffer): BackupManifest {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw new BackupError('backup-damaged', 'The manifest of the bundle is cut or altered', { cause });
  }
  if (!isManifest(manifest)) {
    throw new BackupError(
      'backup-damaged',
      `The manifest of the bundle is not of format version ${FORMAT_VERSION}, the only one known`,
    );
  }
  if (manifest.completeness !== 'complete' || manifest.manifest_digest.hex !== manifestDigest(manifest).hex) {
    throw new BackupError('backup-damaged', 'The manifest of the bundle does not agree with its digest');
  }
  return manifest;
}

/**
 * Opens one artifact of a bundle.
 * @throws BackupError `backup-wrong-kek` by the identity of the key, `backup-damaged` for everything else
 */
export function openArtifact(
  kek: BackupKek,
  manifest: BackupManifest,
  bundle: BackupBundle,
  kind: ArtifactKind,
): Buffer {
  const { kek_id, kek_version } = manifest.backup_kek;
  if (kek_id !== kek.id || kek_version !== kek.version) {
    throw new BackupError(
      'backup-wrong-kek',
      `The bundle is sealed by backup key ${kek_id} version ${kek_version}, and ${kek.id} version ${kek.version} is set`,
      { remedy: 'Set STRONGROOM_KMS_BACKUP_KEK, _KEK_ID and _KEK_VERSION to those of the bundle.' },
    );
  }
  const artifact = manifest.artifacts.find((each) => each.kind === kind);
  const bytes = artifact && bundle.artifacts.get(artifact.path);
  if (artifact === undefined || bytes === undefined) {
    throw new BackupError('backup-damaged', `The bundle lacks its ${kind}`);
  }
  if (bytes.length !== artifact.len || digestOf(bytes).hex !== artifact.encrypted_digest.hex) {
    throw new BackupError('backup-damaged', `The ${kind} of the bundle is cut or altered`);
  }
  try {
    return unseal(kek.key, bytes, purposeOf(manifest, kind));
  } catch (cause) {
    if (!(cause instanceof SealedBoxError)) {
      throw cause;
    }
    throw new BackupError(
      'backup-damaged',
      `The ${kind} does not open with backup key ${kek.id}: another key of that name, or an altered bundle`,
      { cause },
    );
  }
}

/** Nothing authenticates the manifest before an artifact is opened, so its shape is not taken on trust. */
function isManifest(value: unknown): value is BackupManifest {
  const manifest = asRecord(value);
  const kek = asRecord(manifest['backup_kek']);
  const artifacts = manifest['artifacts'];
  return (
    manifest['format_version'] === FORMAT_VERSION &&
    [manifest['backup_id'], manifest['deployment_identity'], kek['kek_id']].every(isShortText) &&
    [manifest['snapshot_generation'], kek['kek_version']].every(Number.isSafeInteger) &&
    isShortText(asRecord(manifest['manifest_digest'])['hex']) &&
    Array.isArray(artifacts) &&
    artifacts.length <= MOST_ARTIFACTS &&
    artifacts
      .map(asRecord)
      .every(
        (artifact) =>
          [artifact['kind'], artifact['path'], asRecord(artifact['encrypted_digest'])['hex']].every(isShortText) &&
          Number.isSafeInteger(artifact['len']),
      )
  );
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isShortText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= LONGEST_TEXT;
}

function purposeOf({ backup_id, deployment_identity, snapshot_generation }: BundleOrigin, kind: ArtifactKind): string {
  return `kms-backup:${JSON.stringify([backup_id, deployment_identity, snapshot_generation, kind])}`;
}

function manifestDigest(manifest: BackupManifest): Digest {
  return digestOf(Buffer.from(JSON.stringify({ ...manifest, manifest_digest: { algorithm: 'sha-256', hex: '' } })));
}

function digestOf(bytes: Buffer): Digest {
  return { algorithm: 'sha-256', hex: createHash('sha256').update(bytes).digest('hex') };
}
