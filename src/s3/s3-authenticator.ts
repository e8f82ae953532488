import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import { hasLegacySignature, verifyLegacySignature } from '../identity/sigv2/legacy-signature-verifier';
import { verifyFormSignature } from '../identity/sigv4/form-signature';
import { verifySignature, type CredentialLookup, type VerificationPolicy } from '../identity/sigv4/signature-verifier';
import { Settings } from '../settings/settings';
import { headerOf } from './headers/header-values';
import { assertPayloadHash } from './request-body';
import type { S3Call } from './s3-call';

const SHA256_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

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
   * @throws SignatureError; S3Error InvalidArgument for a payload hash of no known form
   */
  async authenticate(call: S3Call): Promise<void> {
    const { http, request } = call;
    if (hasLegacySignature(http.headers, request.query)) {
      await this.#authenticateLegacy(call);
      return;
    }
    const payloadHash = headerOf(http.headers, 'x-amz-content-sha256');
    const inHeader = http.headers.authorization !== undefined;
    if (payloadHash !== undefined && inHeader) {
      assertPayloadHash(payloadHash);
    }
    const verified = await verifySignature(
      {
        method: http.method ?? 'GET',
        rawPath: request.rawPath,
        rawQuery: request.rawQuery,
        headers: http.headers,
        query: request.query,
        // A signer that sends no hash has signed that of the body, which is known where there is none; a URL signs none.
        bodyHash: inHeader && payloadHash === undefined && call.body.isAbsent ? SHA256_OF_NOTHING : undefined,
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

  /**
   * Verifies the signature of a browser form and enters its signer; a form without policy stays anonymous.
   * @throws SignatureError
   */
  async authenticateForm(call: S3Call, fields: ReadonlyMap<string, string>): Promise<void> {
    const verified = await verifyFormSignature(fields, this.#policy, this.#lookup, new Date());
    if (verified !== undefined) {
      call.principal = verified.principal;
      call.signature = verified;
    }
  }

  async #authenticateLegacy(call: S3Call): Promise<void> {
    const { http, request } = call;
    const verified = await verifyLegacySignature(
      {
        method: http.method ?? 'GET',
        resourcePath: request.hostBucket ? `/${request.bucket}${request.rawPath}` : request.rawPath,
        headers: http.headers,
        query: request.query,
      },
      this.#policy.clockSkewSeconds,
      this.#lookup,
      new Date(),
    );
    call.principal = verified.principal;
    call.signature = verified;
  }
}
