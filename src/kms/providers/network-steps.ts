import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { StepFailure, type StepFinding } from '../step-recorder';
import { loadTlsMaterial, type TlsSettings } from './tls-material';
import { errorCode } from './transport-errors';

const CONNECT_TIMEOUT = 5_000;
const EXPIRY_WARNING_DAYS = 14;
const DAY = 86_400_000;
const SKEW_WARNING_SECONDS = 30;
const NAMED_CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed and not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'the chain ends in an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority that signed the certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority that signed the certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority that signed the certificate is missing',
};

/** Where a KMS is and how its connections are secured. */
export interface NetworkEndpoint {
  /** `<type>:<target>`, for messages */
  readonly kms: string;
  readonly url: URL;
  readonly tls: TlsSettings;
  /** Name of the service in messages, such as `Vault`. */
  readonly service: string;
  /** The setting that holds the address. */
  readonly field: string;
  /** What makes a certificate acceptable that is not. */
  readonly certificateRemedy: string;
  /** What may be wrong when the handshake itself fails. */
  readonly handshakeRemedy: string;
}

/** Runs one named step of a connection test. */
export type StepRunner = (name: string, work: () => Promise<StepFinding>) => Promise<void>;

/**
 * The steps `dns`, `tcp` and `tls`, which every KMS behind a network has in common, after a look at the client certificate
 * where there is one.
 */
export async function runNetworkSteps(step: StepRunner, endpoint: NetworkEndpoint): Promise<void> {
  await runClientCertificateStep(step, endpoint);
  await step('dns', () => resolve(endpoint));
  await step('tcp', () => connectTcp(endpoint));
  await step('tls', () => inspectTls(endpoint));
}

/**
 * The same for the nodes of one cluster: a step for each, of which one at least must be reachable.
 * @param nodes at least one
 */
export async function runClusterNetworkSteps(step: StepRunner, nodes: readonly NetworkEndpoint[]): Promise<void> {
  const [only] = nodes;
  if (nodes.length === 1 && only) {
    return runNetworkSteps(step, only);
  }
  if (only) {
    await runClientCertificateStep(step, only);
  }
  let reached = 0;
  for (const [index, node] of nodes.entries()) {
    await step(`node ${node.url.host}`, async () => {
      try {
        const findings = [await resolve(node), await connectTcp(node), await inspectTls(node)];
        reached++;
        return joinFindings(findings);
      } catch (error) {
        if (!(error instanceof StepFailure) || (reached === 0 && index === nodes.length - 1)) {
          throw error;
        }
        return { outcome: 'warning', detail: error.detail, remedy: error.remedy };
      }
    });
  }
}

/** Before the network, because servers refuse a certificate that has run out without saying why. */
async function runClientCertificateStep(step: StepRunner, { kms, tls }: NetworkEndpoint): Promise<void> {
  if (tls.clientCertFile === undefined) {
    return;
  }
  await step('client certificate', async () => {
    const certificate = certificateOf((await loadTlsMaterial(kms, tls)).cert);
    return certificateFinding(
      `The certificate of client_cert_file is for ${certificate.subject.replaceAll('\n', ', ') || 'nobody'}, valid until ${certificate.validTo}`,
      certificate.validTo,
      'Renew the certificate of client_cert_file.',
    );
  });
}

/**
 * Reads the certificate of `client_cert_file`.
 * @throws StepFailure when there is none
 */
export function certificateOf(pem: Buffer | string | undefined): X509Certificate {
  try {
    return new X509Certificate(pem ?? '');
  } catch {
    throw new StepFailure(
      'The file of client_cert_file holds no certificate',
      'Put the certificate in PEM there, and its private key in client_key_file.',
    );
  }
}

/** Warns of a certificate that ends soon or has ended; whether it is still accepted is for the other side to say. */
function certificateFinding(facts: string, validTo: string, remedy: string): StepFinding {
  const left = Date.parse(validTo) - Date.now();
  if (left < 0) {
    return { outcome: 'warning', detail: `${facts}; it has expired`, remedy };
  }
  const days = Math.floor(left / DAY);
  return days < EXPIRY_WARNING_DAYS
    ? { outcome: 'warning', detail: `${facts}; it expires in ${days} days`, remedy }
    : facts;
}

function joinFindings(findings: readonly StepFinding[]): StepFinding {
  const detail = findings.map((finding) => (typeof finding === 'string' ? finding : finding.detail)).join('; ');
  const warning = findings.find((finding) => typeof finding !== 'string' && finding.outcome === 'warning');
  return typeof warning === 'object' ? { ...warning, detail } : detail;
}

/**
 * Compares the clock of this machine with the time a service told.
 * @param told the `Date` header of its last answer
 */
export function compareClocks(service: string, told: Date | undefined): StepFinding {
  if (told === undefined || Number.isNaN(told.getTime())) {
    return { outcome: 'skipped', detail: `${service} tells no time` };
  }
  const skew = Math.round((told.getTime() - Date.now()) / 1_000);
  return Math.abs(skew) > SKEW_WARNING_SECONDS
    ? {
        outcome: 'warning',
        detail: `The clocks differ by ${skew} s`,
        remedy: 'Synchronise the clocks; certificates and tokens expire by them.',
      }
    : `The clocks differ by ${Math.abs(skew)} s`;
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

async function resolve({ url, field }: NetworkEndpoint): Promise<StepFinding> {
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
      `Correct the host name in ${field}, or the DNS of this machine.`,
    );
  }
}

async function connectTcp({ url, service, field }: NetworkEndpoint): Promise<StepFinding> {
  const [host, port] = [hostOf(url), portOf(url)];
  const socket = connect({ host, port });
  try {
    await ready(socket, 'connect');
    return `Connected to ${socket.remoteAddress ?? host} port ${port}`;
  } catch (error) {
    throw new StepFailure(
      `No connection to ${host} port ${port} (${errorCode(error)})`,
      `Check that ${service} is running, that ${field} has the right port, and that no firewall is in between.`,
    );
  } finally {
    socket.destroy();
  }
}

async function inspectTls(endpoint: NetworkEndpoint): Promise<StepFinding> {
  const { kms, url, tls, field } = endpoint;
  const host = hostOf(url);
  if (url.protocol === 'http:') {
    const local = host === 'localhost' || host === '::1' || host.startsWith('127.');
    const detail = `${field} is http: data keys travel unencrypted`;
    return local
      ? { outcome: 'skipped', detail }
      : { outcome: 'warning', detail, remedy: 'Use https unless the network is trusted.' };
  }
  const material = await loadTlsMaterial(kms, tls);
  const name = tls.serverName ?? host;
  const servername = isIP(name) === 0 ? name : undefined;
  // Verified below rather than by the handshake, so that a bad certificate can still be described.
  const socket = connectTls({ host, port: portOf(url), ...material, servername, rejectUnauthorized: false });
  try {
    await ready(socket, 'secureConnect');
    return judgeCertificate(socket, name, endpoint);
  } catch (error) {
    if (error instanceof StepFailure) {
      throw error;
    }
    throw new StepFailure(`The TLS handshake failed (${errorCode(error)})`, endpoint.handshakeRemedy);
  } finally {
    socket.destroy();
  }
}

function judgeCertificate(
  socket: TLSSocket,
  name: string,
  { tls, service, certificateRemedy }: NetworkEndpoint,
): StepFinding {
  const certificate = socket.getPeerCertificate();
  const problem = chainProblem(socket) ?? checkServerIdentity(name, certificate)?.message;
  const facts = describeCertificate(socket, certificate);
  if (tls.skipVerify) {
    return {
      outcome: 'warning',
      detail: `${facts}; not verified because tls_skip_verify is on${problem === undefined ? '' : `, otherwise refused: ${problem}`}`,
      remedy: 'Set ca_file or ca_pem and turn tls_skip_verify off.',
    };
  }
  if (problem !== undefined) {
    throw new StepFailure(`${problem}; ${facts}`, certificateRemedy);
  }
  return certificateFinding(facts, certificate.valid_to, `Renew the certificate of ${service}.`);
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

async function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  await new Promise<void>((resolvePromise, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT, () => reject(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    socket.once(event, resolvePromise);
    socket.once('error', reject);
    // TLS 1.3 reports a refused client certificate only after the handshake seemed complete.
    socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}
