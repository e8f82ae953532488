import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { IdentityService } from '../identity/identity.service';
import type { Principal } from '../identity/identity.types';
import { signatureParameters } from '../identity/sigv4/signature-parameters';
import { verifySignature } from '../identity/sigv4/signature-verifier';
import { Settings } from '../settings/settings';
import { StsError } from './sts-error';
import { splitTarget } from './sts-request';

/** Finds out who sent a request to the STS face. */
@Injectable()
export class StsAuthenticator {
  constructor(
    private readonly identity: IdentityService,
    private readonly settings: Settings,
  ) {}

  /**
   * Verifies the Signature Version 4 of a request, in its header or its query.
   * @throws SignatureError, StsError MissingAuthenticationToken without any
   */
  async authenticate(request: IncomingMessage, body: Buffer): Promise<Principal> {
    const target = splitTarget(request.url ?? '/');
    const query = new Map(new URLSearchParams(target.rawQuery));
    // STS is one service for all regions, which clients sign for as they are configured.
    const stated = signatureParameters(request.headers, query);
    if (stated === undefined) {
      throw new StsError('MissingAuthenticationToken', 'Request is missing Authentication Token');
    }
    const verified = await verifySignature(
      {
        method: request.method ?? 'GET',
        ...target,
        headers: request.headers,
        query,
        bodyHash: createHash('sha256').update(body).digest('hex'),
      },
      { region: stated.region, services: ['sts'], clockSkewSeconds: this.settings.clockSkewSeconds },
      (accessKeyId) => this.identity.findCredential(accessKeyId),
      new Date(),
    );
    if (verified === undefined || (body.length > 0 && !/^[0-9a-f]{64}$/.test(verified.payloadHash))) {
      throw new StsError('IncompleteSignature', 'The signature must cover the body');
    }
    return verified.principal;
  }
}
