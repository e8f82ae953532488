import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import type { Principal } from '../identity/identity.types';
import { signatureParameters } from '../identity/sigv4/signature-parameters';
import { verifySignature } from '../identity/sigv4/signature-verifier';
import { Settings } from '../settings/settings';
import { AdminError } from './admin-error';
import type { AdminRequest } from './admin-request';

/** Services in whose name clients sign admin requests: mc says s3, others kms, awscurl by default execute-api. */
const SERVICES: readonly string[] = ['s3', 'kms', 'execute-api'];
const EMPTY_QUERY: ReadonlyMap<string, string> = new Map();

/** Finds out who sends an admin request, by Signature Version 4 or HTTP Basic. Nobody is anonymous here. */
@Injectable()
export class AdminAuthenticator {
  constructor(
    private readonly identity: IdentityService,
    private readonly settings: Settings,
  ) {}

  /**
   * @throws AdminError `Unauthorized` without or with wrong Basic credentials
   * @throws SignatureError when a signature does not hold
   */
  async authenticate(request: AdminRequest): Promise<Principal> {
    const authorization = request.headers.authorization ?? '';
    if (/^Basic /i.test(authorization)) {
      return this.checkBasic(authorization.slice('Basic '.length));
    }
    if (/^AWS4-HMAC-SHA256 /.test(authorization)) {
      return this.checkSignature(request);
    }
    throw new AdminError('Unauthorized', 'Sign the request (AWS Signature Version 4) or use HTTP Basic', [], {
      remedy: 'User name is an access key id, password its secret key',
    });
  }

  private async checkBasic(encoded: string): Promise<Principal> {
    const decoded = Buffer.from(encoded.trim(), 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    const principal =
      colon < 0 ? undefined : await this.identity.checkSecret(decoded.slice(0, colon), decoded.slice(colon + 1));
    if (principal === undefined) {
      throw new AdminError('Unauthorized', 'The access key id or the secret key is wrong');
    }
    return principal;
  }

  private async checkSignature(request: AdminRequest): Promise<Principal> {
    const [rawPath = '/', rawQuery = ''] = splitTarget(request.originalUrl);
    // The region says nothing on this face: mc signs for the bucket region it last saw.
    const scope = signatureParameters(request.headers, EMPTY_QUERY);
    const verified = await verifySignature(
      {
        method: request.method,
        // All services but S3 sign the path encoded a second time.
        rawPath: scope?.service === 's3' ? rawPath : rawPath.replaceAll('%', '%25'),
        rawQuery,
        headers: request.headers,
        query: EMPTY_QUERY,
        bodyHash: createHash('sha256').update(request.rawBody).digest('hex'),
      },
      {
        region: scope?.region ?? this.settings.region,
        services: SERVICES,
        clockSkewSeconds: this.settings.clockSkewSeconds,
      },
      (accessKeyId) => this.identity.findCredential(accessKeyId),
      new Date(),
    );
    if (verified === undefined) {
      throw new AdminError('Unauthorized', 'The request carries no signature');
    }
    if (request.rawBody.length > 0 && !/^[0-9a-f]{64}$/.test(verified.payloadHash)) {
      throw new AdminError(
        'InvalidRequest',
        'The signature must cover the body: send its SHA-256 in x-amz-content-sha256',
      );
    }
    return verified.principal;
  }
}

function splitTarget(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}
