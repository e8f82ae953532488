import { type ClientRequest, request as httpRequest } from 'node:http';
import { sign } from 'aws4';

/** Credentials and address that a raw request is signed for. */
export interface SigningTarget {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Sends one signed request whose payload is unsigned. */
export function signedExchange(
  target: SigningTarget,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<RawAnswer> {
  const length = String(Buffer.byteLength(body));
  const all = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': length, ...headers };
  return exchange(signedOptions(target, method, path, all), body);
}

/** A signed PUT with an unsigned payload whose body the caller writes piece by piece. */
export function signedPut(
  target: SigningTarget,
  url: URL,
  length: number,
  headers: Record<string, string> = {},
): ClientRequest {
  const options = signedOptions(target, 'PUT', `${url.pathname}${url.search}`, {
    'content-length': String(length),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    ...headers,
  });
  return httpRequest(options);
}

/** Options of a request signed by aws4, for `node:http`, which normalises nothing. */
export function signedOptions(
  target: SigningTarget,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): { method: string; host: string; port: string; path: string; headers: Record<string, string> } {
  const { hostname, port } = new URL(target.endpoint);
  const signed = sign(
    { service: 's3', region: 'us-east-1', method, host: `${hostname}:${port}`, path, headers: { ...headers } },
    { accessKeyId: target.accessKeyId, secretAccessKey: target.secretAccessKey },
  );
  return { method, host: hostname, port, path, headers: signed.headers as Record<string, string> };
}

/** Sends a request as given and reads the whole answer. @param options headers may be names and values in turn */
export function exchange(
  options: {
    method: string;
    host: string;
    port: string;
    path: string;
    headers: Record<string, string> | readonly string[];
  },
  body?: Buffer | string,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
