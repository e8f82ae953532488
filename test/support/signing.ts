import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { SigningTarget } from './raw-request';

interface SignedOptions {
  readonly method: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly headers: Record<string, string>;
}

/** A listing of buckets, signed as if it were another time or region. */
export async function listingSignedAt(target: SigningTarget, date: Date, region: string): Promise<SignedOptions> {
  const { hostname, port, host } = new URL(target.endpoint);
  const headers = { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const request = { method: 'GET', protocol: 'http:', hostname, path: '/', headers };
  const signed = await signer(target, region).sign(request, { signingDate: date });
  return { method: 'GET', host: hostname, port, path: '/', headers: signed.headers };
}

/** A request whose signature covers the hash of the body without x-amz-content-sha256 saying so, as older tools sign. */
export async function signedWithoutHash(
  target: SigningTarget,
  method: string,
  path: string,
  body = '',
): Promise<SignedOptions> {
  const { hostname, port, host } = new URL(target.endpoint);
  const request = { method, protocol: 'http:', hostname, path, headers: { host }, body };
  const signed = await signer(target, 'us-east-1').sign(request);
  return { method, host: hostname, port, path, headers: signed.headers };
}

/** A URL for a download, presigned at a time of one's choice. */
export async function presignedUrl(target: SigningTarget, path: string, date: Date, seconds: number): Promise<string> {
  const { hostname, host } = new URL(target.endpoint);
  const request = { method: 'GET', protocol: 'http:', hostname, path, headers: { host } };
  const signed = await signer(target, 'us-east-1').presign(request, { signingDate: date, expiresIn: seconds });
  return `${target.endpoint}${path}?${new URLSearchParams(signed.query as Record<string, string>).toString()}`;
}

function signer(target: SigningTarget, region: string): SignatureV4 {
  const { accessKeyId, secretAccessKey } = target;
  return new SignatureV4({
    credentials: { accessKeyId, secretAccessKey },
    region,
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
}
