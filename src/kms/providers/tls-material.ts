import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../../common/secret';
import { KmsError } from '../kms-error';

/** What TLS connections to a KMS are made with; files are read when a connection is first needed. */
export interface TlsSettings {
  readonly caFile?: string;
  readonly caPem?: string;
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
  readonly skipVerify: boolean;
  readonly serverName?: string;
  /** A client certificate that is made here instead of read, as PEM. */
  readonly clientKeyPair?: Secret<{ readonly cert: string; readonly key: string }>;
}

/** PEM texts of {@link TlsSettings}, as node:tls takes them. */
export interface TlsMaterial {
  readonly ca?: string[];
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/**
 * Reads the certificates a connection needs.
 * @throws KmsError `kms-not-configured` naming the file that cannot be read
 */
export async function loadTlsMaterial(kms: string, tls: TlsSettings): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all([
    tls.caFile === undefined ? undefined : readAuthorities(kms, tls.caFile),
    tls.clientCertFile === undefined ? undefined : readPem(kms, 'client_cert_file', tls.clientCertFile),
    tls.clientKeyFile === undefined ? undefined : readPem(kms, 'client_key_file', tls.clientKeyFile),
  ]);
  return {
    ca: ca ?? (tls.caPem === undefined ? undefined : [tls.caPem]),
    cert: cert ?? tls.clientKeyPair?.reveal().cert,
    key: key ?? tls.clientKeyPair?.reveal().key,
    servername: tls.serverName,
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
    rejectUnauthorized: !tls.skipVerify,
  };
}

async function readAuthorities(kms: string, path: string): Promise<string[]> {
  const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const files = isDirectory
    ? (await readdir(path)).filter((name) => /\.(pem|crt|cer)$/.test(name)).map((name) => join(path, name))
    : [path];
  return Promise.all(files.map(async (file) => (await readPem(kms, 'ca_file', file)).toString('utf8')));
}

async function readPem(kms: string, field: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new KmsError('kms-not-configured', `${kms}: the file of ${field} cannot be read`, {
      cause,
      remedy: `Make ${path} readable, or correct ${field}.`,
    });
  }
}
