import { Secret } from '../common/secret';
import { seal, SealedBoxError, unseal } from '../common/sealed-box';
import type { Queryable, Statement } from '../database/statement';
import type { Settings } from '../settings/settings';
import { generateAccessKeyId, generateSecretKey } from './credential-format';
import { IdentityError } from './identity-error';

const PURPOSE = 'root-credential';

const FIND: Statement = {
  name: 'identity.find-root-credential',
  text: 'SELECT access_key_id AS "accessKeyId", sealed_secret AS "sealedSecret" FROM root_credential',
};
const INSERT: Statement = {
  name: 'identity.insert-root-credential',
  text: `INSERT INTO root_credential (id, access_key_id, sealed_secret) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`,
};

/** The credential that may do everything. */
export interface RootCredentials {
  readonly accessKeyId: string;
  readonly secretKey: Secret;
  /** Whether this very call made them up, so that they must be shown to the operator once. */
  readonly generated: boolean;
}

/**
 * Returns the root credentials: those of the settings, or else the stored ones, or else freshly generated ones, which are
 * stored sealed. Of several processes that start at once, one generates and all agree.
 *
 * @param rootKey 32 bytes
 * @throws IdentityError `RootCredentialsUnreadable` when the root key is not the one that sealed them
 */
export async function ensureRootCredentials(
  database: Queryable,
  rootKey: Buffer,
  settings: Pick<Settings, 'rootUser' | 'rootPassword'>,
): Promise<RootCredentials> {
  if (settings.rootUser !== undefined && settings.rootPassword !== undefined) {
    return { accessKeyId: settings.rootUser, secretKey: settings.rootPassword, generated: false };
  }
  const secretKey = generateSecretKey();
  const sealed = seal(rootKey, Buffer.from(secretKey), PURPOSE);
  let rows = await database.query<{ accessKeyId: string; sealedSecret: Buffer }>(FIND);
  let generated = false;
  if (rows.length === 0) {
    generated = (await database.execute(INSERT, [generateAccessKeyId(), sealed])) === 1;
    rows = await database.query(FIND);
  }
  const stored = rows[0];
  if (stored === undefined) {
    throw new IdentityError('RootCredentialsUnreadable', 'The root credentials vanished while they were read');
  }
  return {
    accessKeyId: stored.accessKeyId,
    secretKey: new Secret(open(rootKey, stored.sealedSecret)),
    generated,
  };
}

function open(rootKey: Buffer, sealed: Buffer): string {
  try {
    return unseal(rootKey, sealed, PURPOSE).toString('utf8');
  } catch (cause) {
    if (!(cause instanceof SealedBoxError)) {
      throw cause;
    }
    throw new IdentityError('RootCredentialsUnreadable', 'The stored root credentials cannot be opened', [], {
      remedy:
        'Start with the root key that this database was first used with (STRONGROOM_ROOT_KEY or the root key file of the ' +
        'data directory), or set STRONGROOM_ROOT_USER and STRONGROOM_ROOT_PASSWORD',
      cause,
    });
  }
}
