import { KmsError } from '../kms-error';

const KEY_ID = /^[A-Za-z0-9_-]{1,63}$/;
const FULL =
  /^(projects\/[a-z0-9.:-]+\/locations\/[a-z0-9-]+\/keyRings\/[A-Za-z0-9_-]{1,63})\/cryptoKeys\/([A-Za-z0-9_-]{1,63})$/;

/** Names of keys towards Cloud KMS and towards objects: short in the configured ring, the full resource name elsewhere. */
export class GcpKeyNames {
  readonly defaultKeyId: string;

  /**
   * @param ring `projects/…/locations/…/keyRings/…`
   * @param configured name in the ring, or a full resource name
   */
  constructor(
    private readonly kms: string,
    readonly ring: string,
    configured: string,
  ) {
    this.defaultKeyId = this.shorten(configured);
  }

  /** Without the ring, when it is the configured one. */
  shorten(name: string): string {
    const full = FULL.exec(name);
    return full?.[1] === this.ring ? (full[2] ?? name) : name;
  }

  /**
   * The full resource name.
   * @throws KmsError `kms-key-not-found` for what cannot be a name
   */
  toGcp(keyId: string): string {
    if (FULL.test(keyId)) {
      return keyId;
    }
    if (!KEY_ID.test(keyId)) {
      throw new KmsError('kms-key-not-found', `${keyId.slice(0, 64)} cannot be the name of a key in ${this.kms}`);
    }
    return `${this.ring}/cryptoKeys/${keyId}`;
  }

  /**
   * Ring and short name, as creating a key asks for them.
   * @throws KmsError `kms-key-not-found`
   */
  split(keyId: string): { readonly ring: string; readonly name: string } {
    const [, ring = '', name = ''] = FULL.exec(this.toGcp(keyId)) ?? [];
    return { ring, name };
  }
}

/** Whether a name has the form of a key id in a ring or of a key's full resource name. */
export function isGcpKeyName(name: string): boolean {
  return KEY_ID.test(name) || FULL.test(name);
}

/** The number at the end of the resource name of a key's version. */
export function gcpKeyVersion(resource: string | null | undefined): string | undefined {
  return /\/cryptoKeyVersions\/(\d+)$/.exec(resource ?? '')?.[1];
}
