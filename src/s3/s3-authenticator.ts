import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import { verifySignature, type CredentialLookup, type VerificationPolicy } from '../identity/sigv4/signature-verifier';
import { Settings } from '../settings/settings';
import type { S3Call } from './s3-call';

/** Finds out who sent a request. */
@Injectable()
export class S3Authenticator {
  readonly #policy: VerificationPolicy;
  readonly #lookup: CredentialLookup;

  constructor(identity: IdentityService, settings: Settings) {
    this.#policy = { region: settings.region, services: ['s3'], clockSkewSeconds: settings.clockSkewSeconds };
    this.#lookup = (accessKeyId) => identity.findCredential(accessKeyId);
  }

  /**
   * Verifies the signature of a call and enters principal and signature into it; a call without any stays anonymous.
   * @throws SignatureError
   */
  async authenticate(call: S3Call): Promise<void> {
    const { http, request } = call;
    const verified = await verifySignature(
      {
        method: http.method ?? 'GET',
        rawPath: request.rawPath,
        rawQuery: request.rawQuery,
        headers: http.headers,
        query: request.query,
      },
      this.#policy,
      this.#lookup,
      new Date(),
    );
    if (verified !== undefined) {
      call.principal = verified.principal;
      call.signature = verified;
      call.body.signature = verified;
    }
  }
}
