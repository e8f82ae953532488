import { timingSafeEqual } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { KmsError } from '../kms-error';
import type { ConnectionTestReport, KmsProvider } from '../kms-provider';
import { StepFailure, StepRecorder, type StepFinding } from '../step-recorder';
import type { VaultAuth } from './vault-auth';
import { objectOf, textOf, type VaultClient } from './vault-client';
import { errorCode } from './vault-errors';
import { readVaultKey } from './vault-key';
import { neededCapabilities, vaultPolicyRemedy } from './vault-policy';
import type { VaultSession } from './vault-session';
import type { VaultSettings } from './vault-settings';
import { loadTlsMaterial } from './vault-transport';

const CONNECT_TIMEOUT = 5_000;
const EXPIRY_WARNING_DAYS = 14;
const DAY = 86_400_000;
const SKEW_WARNING_SECONDS = 30;
const SHORT_TOKEN_SECONDS = 3_600;
const NAMED_CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed and not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'the chain ends in an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority that signed the certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority that signed the certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority that signed the certificate is missing',
};

/** The parts of a provider that the test looks at one by one. */
export interface VaultTestSubject {
  readonly kms: string;
  readonly settings: VaultSettings;
  readonly client: VaultClient;
  readonly auth: VaultAuth;
  readonly session: VaultSession;
  readonly provider: KmsProvider;
  readonly signal: AbortSignal;
}

/** Goes the whole way to an unwrapped data key, step by step; a step that fails says what to do, and the rest is skipped. */
export async function testVaultConnection(subject: VaultTestSubject): Promise<ConnectionTestReport> {
  const steps = new StepRecorder();
  const url = new URL(subject.settings.endpoint);
  const step = (name: string, work: (bounded: VaultTestSubject) => Promise<StepFinding>): Promise<void> =>
    steps.run(name, () => {
      const signal = AbortSignal.any([subject.signal, AbortSignal.timeout(subject.settings.timeout)]);
      return work({ ...subject, signal });
    });
  let wraps: 'datakey' | 'encrypt' = 'encrypt';
  await step('dns', () => resolve(url));
  await step('tcp', () => connectTcp(url));
  await step('tls', (bounded) => inspectTls(url, bounded));
  await step('health', checkHealth);
  await step('authentication', checkToken);
  await step('mount', checkMount);
  await step('key', async (bounded) => {
    const key = await checkKey(bounded);
    wraps = key.derived && subject.settings.keyVersion === undefined ? 'datakey' : 'encrypt';
    return key.detail;
  });
  await step('permissions', (bounded) => checkPermissions(bounded, wraps));
  await step('round trip', roundTrip);
  await step('clock', compareClocks);
  return steps.report();
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

async function resolve(url: URL): Promise<StepFinding> {
  const host = hostOf(url);
  if (isIP(host) !== 0) {
    return `${host} is an address already`;
  }
  try {
    const addresses = await lookup(host, { all: true });
    return `${host} is ${addresses.map(({ address }) => address).join(', ')}`;
  } catch (error) {
    throw new StepFailure(
      `${host} cannot be resolved (${errorCode(error)})`,
      'Correct the host name in endpoint, or the DNS of this machine.',
    );
  }
}

async function connectTcp(url: URL): Promise<StepFinding> {
  const [host, port] = [hostOf(url), portOf(url)];
  const socket = connect({ host, port });
  try {
    await ready(socket, 'connect');
    return `Connected to ${socket.remoteAddress ?? host} port ${port}`;
  } catch (error) {
    throw new StepFailure(
      `No connection to ${host} port ${port} (${errorCode(error)})`,
      'Check that Vault is running, that endpoint has the right port, and that no firewall is in between.',
    );
  } finally {
    socket.destroy();
  }
}

async function inspectTls(url: URL, { kms, settings }: VaultTestSubject): Promise<StepFinding> {
  const host = hostOf(url);
  if (url.protocol === 'http:') {
    const local = host === 'localhost' || host === '::1' || host.startsWith('127.');
    const detail = 'endpoint is http: data keys travel unencrypted';
    return local
      ? { outcome: 'skipped', detail }
      : { outcome: 'warning', detail, remedy: 'Use https unless the network is trusted.' };
  }
  const material = await loadTlsMaterial(kms, settings.tls);
  const name = settings.tls.serverName ?? host;
  const servername = isIP(name) === 0 ? name : undefined;
  // Verified below rather than by the handshake, so that a bad certificate can still be described.
  const socket = connectTls({ host, port: portOf(url), ...material, servername, rejectUnauthorized: false });
  try {
    await ready(socket, 'secureConnect');
    return judgeCertificate(socket, name, settings.tls.skipVerify);
  } catch (error) {
    if (error instanceof StepFailure) {
      throw error;
    }
    throw new StepFailure(
      `The TLS handshake failed (${errorCode(error)})`,
      'Check that the port speaks TLS, and whether Vault asks for a client certificate (client_cert_file, client_key_file).',
    );
  } finally {
    socket.destroy();
  }
}

function judgeCertificate(socket: TLSSocket, name: string, skipVerify: boolean): StepFinding {
  const certificate = socket.getPeerCertificate();
  const problem = chainProblem(socket) ?? checkServerIdentity(name, certificate)?.message;
  const facts = describeCertificate(socket, certificate);
  if (skipVerify) {
    return {
      outcome: 'warning',
      detail: `${facts}; not verified because tls_skip_verify is on${problem === undefined ? '' : `, otherwise refused: ${problem}`}`,
      remedy: 'Set ca_file or ca_pem and turn tls_skip_verify off.',
    };
  }
  if (problem !== undefined) {
    throw new StepFailure(
      `${problem}; ${facts}`,
      'Set ca_file or ca_pem to the authority that signed the certificate, or tls_server_name to a name in it; renew it if it has expired.',
    );
  }
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY);
  return daysLeft < EXPIRY_WARNING_DAYS
    ? {
        outcome: 'warning',
        detail: `${facts}; it expires in ${daysLeft} days`,
        remedy: 'Renew the certificate of Vault.',
      }
    : facts;
}

function chainProblem(socket: TLSSocket): string | undefined {
  if (socket.authorized) {
    return undefined;
  }
  const code = String(socket.authorizationError);
  return NAMED_CERTIFICATE_ERRORS[code] ?? `the certificate is not accepted (${code})`;
}

function describeCertificate(socket: TLSSocket, certificate: PeerCertificate): string {
  const names = certificate.subjectaltname ?? `CN=${String(certificate.subject?.CN ?? 'none')}`;
  const issuer = String(certificate.issuer?.CN ?? certificate.issuer?.O ?? 'unknown');
  return `${socket.getProtocol() ?? 'TLS'}, certificate for ${names}, issued by ${issuer}, valid until ${certificate.valid_to}`;
}

async function checkHealth({ kms, client, signal }: VaultTestSubject): Promise<StepFinding> {
  const health = await client.health(signal);
  if (health['initialized'] !== true) {
    throw new StepFailure(`${kms} is not initialised`, 'Initialise Vault (vault operator init).');
  }
  if (health['sealed'] === true) {
    throw new StepFailure(`${kms} is sealed`, 'Unseal Vault (vault operator unseal).');
  }
  if (health['replication_dr_mode'] === 'secondary') {
    throw new StepFailure(`${kms} is a disaster recovery secondary`, 'Set endpoint to the primary cluster.');
  }
  const role = health['standby'] === true ? 'standby node' : 'active node';
  return `Version ${textOf(health['version'], 'unknown')}, unsealed, ${role}`;
}

async function checkToken({ auth, settings, signal }: VaultTestSubject): Promise<StepFinding> {
  await auth.token();
  try {
    const { ttl, renewable, policies } = await auth.lookUp(signal);
    const life = ttl === 0 ? 'never expires' : `expires in ${ttl} s, ${renewable ? 'renewable' : 'not renewable'}`;
    const detail = `The token is valid, ${life}, policies ${policies.join(', ') || 'none'}`;
    if (policies.includes('root')) {
      return { outcome: 'warning', detail, remedy: `A root token may do anything. ${vaultPolicyRemedy(settings)}` };
    }
    if (settings.credentials.type === 'token' && ttl > 0 && ttl < SHORT_TOKEN_SECONDS && !renewable) {
      return { outcome: 'warning', detail, remedy: 'Use a renewable token, or AppRole.' };
    }
    return detail;
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-access-denied') {
      return {
        outcome: 'warning',
        detail: 'The token may not look itself up, so its life is unknown',
        remedy: 'Add the default policy to it.',
      };
    }
    throw error;
  }
}

async function checkMount({ session, settings, signal }: VaultTestSubject): Promise<StepFinding> {
  const enable = `Enable transit (vault secrets enable -path=${settings.mountPath} transit), or correct mount_path and namespace.`;
  try {
    const { data } = await session.read(`sys/internal/ui/mounts/${settings.mountPath}`, signal);
    const type = textOf(objectOf(data)['type'], 'unknown');
    if (type !== 'transit') {
      throw new StepFailure(`${settings.mountPath} is a secrets engine of type ${type}, not transit`, enable);
    }
    return `${settings.mountPath} is a transit secrets engine`;
  } catch (error) {
    if (error instanceof KmsError && (error.kind === 'kms-access-denied' || error.kind === 'kms-key-not-found')) {
      return {
        outcome: 'warning',
        detail: `Whether ${settings.mountPath} is a transit secrets engine cannot be seen with this token`,
        remedy: `${enable} ${vaultPolicyRemedy(settings)}`,
      };
    }
    throw error;
  }
}

async function checkPermissions(
  { session, settings, signal }: VaultTestSubject,
  wraps: 'datakey' | 'encrypt',
): Promise<StepFinding> {
  const needed = neededCapabilities(settings, wraps).filter(
    ({ path }) => !path.includes(wraps === 'datakey' ? '/encrypt/' : '/datakey/'),
  );
  let granted: Readonly<Record<string, unknown>>;
  try {
    granted = await session.write('sys/capabilities-self', { paths: needed.map(({ path }) => path) }, signal);
  } catch (error) {
    if (error instanceof KmsError && !error.retryable) {
      return {
        outcome: 'warning',
        detail: 'The permissions of the token cannot be asked for',
        remedy: vaultPolicyRemedy(settings),
      };
    }
    throw error;
  }
  const lacking = needed.flatMap(({ path, capabilities, purpose, required }) => {
    const has = capabilitiesOf(granted, path);
    const missing = has.includes('root') ? [] : capabilities.filter((name) => !has.includes(name));
    return missing.length === 0 ? [] : [{ text: `${missing.join(' and ')} on ${path} (to ${purpose})`, required }];
  });
  const texts = lacking.map(({ text }) => text).join(', ');
  if (lacking.some(({ required }) => required)) {
    throw new StepFailure(`The token lacks ${texts}`, vaultPolicyRemedy(settings));
  }
  return lacking.length === 0
    ? 'The token may do all that is needed'
    : {
        outcome: 'warning',
        detail: `The token lacks ${texts}; objects can be encrypted and read`,
        remedy: vaultPolicyRemedy(settings),
      };
}

function capabilitiesOf(answer: Readonly<Record<string, unknown>>, path: string): string[] {
  const list = objectOf(answer['data'])[path] ?? answer[path];
  return Array.isArray(list) ? list.map(String) : [];
}

async function checkKey({
  kms,
  provider,
  session,
  settings,
  signal,
}: VaultTestSubject): Promise<{ detail: string; derived: boolean }> {
  const { keyId, algorithm, latestVersion } = await provider.describeKey(settings.keyName, { signal });
  const answer = await session.read(`${settings.mountPath}/keys/${keyId}`, signal);
  const { derived } = readVaultKey(kms, keyId, answer);
  const binding = derived ? 'derivation' : 'associated data';
  return {
    derived,
    detail: `Key ${keyId} is there (${algorithm}, version ${latestVersion ?? 'unknown'}), binding by ${binding}`,
  };
}

async function roundTrip({ kms, provider, settings, signal }: VaultTestSubject): Promise<StepFinding> {
  const context = { purpose: 'strongroom-connection-test' };
  const { plaintext, ciphertext, keyVersion } = await provider.generateDataKey(settings.keyName, context, { signal });
  try {
    const opened = await provider.decryptDataKey(settings.keyName, ciphertext, context, keyVersion, { signal });
    const same = timingSafeEqual(plaintext, opened);
    opened.fill(0);
    if (!same) {
      throw new StepFailure(
        `${kms} unwrapped another data key than it had wrapped`,
        'Do not use this Vault; look for a faulty proxy or plugin.',
      );
    }
    await refusesOtherContext({ kms, provider, settings, signal }, ciphertext, keyVersion);
    return 'A data key was made, unwrapped and compared; another encryption context is refused';
  } finally {
    plaintext.fill(0);
  }
}

/** Vault before 1.9 ignores associated data without a word, and then nothing binds a wrapped key to its object. */
async function refusesOtherContext(
  { kms, provider, settings, signal }: Pick<VaultTestSubject, 'kms' | 'provider' | 'settings' | 'signal'>,
  ciphertext: Buffer,
  keyVersion: string | undefined,
): Promise<void> {
  const other = { purpose: 'strongroom-connection-test', other: 'context' };
  try {
    (await provider.decryptDataKey(settings.keyName, ciphertext, other, keyVersion, { signal })).fill(0);
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-invalid-ciphertext') {
      return;
    }
    throw error;
  }
  throw new StepFailure(
    `${kms} does not bind the encryption context`,
    'Use Vault 1.9 or newer, or a key created with derived=true.',
  );
}

function compareClocks({ client }: VaultTestSubject): Promise<StepFinding> {
  const { lastDate } = client.transport;
  if (lastDate === undefined || Number.isNaN(lastDate.getTime())) {
    return Promise.resolve({ outcome: 'skipped', detail: 'Vault tells no time' });
  }
  const skew = Math.round((lastDate.getTime() - Date.now()) / 1_000);
  return Promise.resolve(
    Math.abs(skew) > SKEW_WARNING_SECONDS
      ? {
          outcome: 'warning',
          detail: `The clocks differ by ${skew} s`,
          remedy: 'Synchronise the clocks; certificates and tokens expire by them.',
        }
      : `The clocks differ by ${Math.abs(skew)} s`,
  );
}

async function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  await new Promise<void>((resolvePromise, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT, () => reject(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    socket.once(event, resolvePromise);
    socket.once('error', reject);
    // TLS 1.3 reports a refused client certificate only after the handshake seemed complete.
    socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}
