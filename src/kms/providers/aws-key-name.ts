import { KmsError } from '../kms-error';

const KEY_ID = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;
const ALIAS = /^[A-Za-z0-9/_-]{1,250}$/;
const ARN = /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:)(key|alias)\/(.+)$/;

/**
 * Names of keys towards AWS and towards objects. Objects name a key by its id, or by its alias without `alias/`; ARNs are
 * accepted and shortened, because the region and account are those of the target.
 */
export class AwsKeyNames {
  /** Short name of the configured key. */
  readonly defaultKeyId: string;
  /** `arn:…:<account>:` when the configured key was given as an ARN: it may be in another account. */
  private readonly prefix: string;

  /** @param configured key id, alias, or the ARN of either */
  constructor(
    private readonly kms: string,
    configured: string,
  ) {
    this.prefix = ARN.exec(configured)?.[1] ?? '';
    this.defaultKeyId = shortAwsKeyName(configured);
  }

  /**
   * What AWS is asked for.
   * @throws KmsError `kms-key-not-found` for what cannot be a name
   */
  toAws(keyId: string): string {
    const name = shortAwsKeyName(keyId);
    const prefix = name === this.defaultKeyId ? this.prefix : '';
    if (isAwsKeyId(name)) {
      return prefix === '' ? name : `${prefix}key/${name}`;
    }
    if (!ALIAS.test(name)) {
      throw new KmsError('kms-key-not-found', `${name.slice(0, 64)} cannot be the name of a key in ${this.kms}`);
    }
    return `${prefix}alias/${name}`;
  }

  /**
   * The key that unwraps: the very key that wrapped where that is known, because an alias may point to another by now.
   * @param version as made by {@link awsKeyVersion}
   */
  toUnwrap(keyId: string, version: string | undefined): string {
    const wrapped = version?.split('/')[0] ?? '';
    if (!isAwsKeyId(wrapped) || isAwsKeyId(shortAwsKeyName(keyId))) {
      return this.toAws(keyId);
    }
    return shortAwsKeyName(keyId) === this.defaultKeyId && this.prefix !== ''
      ? `${this.prefix}key/${wrapped}`
      : wrapped;
  }
}

/** `key id/start of the key material's id`: changes when the material rotates and when an alias is pointed elsewhere. */
export function awsKeyVersion(keyArn: string, materialId: string | undefined): string {
  const keyId = shortAwsKeyName(keyArn);
  return materialId === undefined ? keyId : `${keyId}/${materialId.slice(0, 16)}`;
}

/** Without ARN and `alias/`. */
export function shortAwsKeyName(name: string): string {
  return (ARN.exec(name)?.[3] ?? name).replace(/^alias\//, '');
}

/** Whether the short name is an id rather than an alias. */
export function isAwsKeyId(name: string): boolean {
  return KEY_ID.test(name);
}
