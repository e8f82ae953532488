import { pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable, StreamableFile } from '@nestjs/common';
import { IdentityService } from '../../identity/identity.service';
import { AdminError } from '../admin-error';
import type { AdminRequest } from '../admin-request';
import { Argon2 } from './argon2';
import { openStream, parsePayload, sealStream, serializePayload } from './madmin-payload';

const PBKDF2_ITERATIONS = 8192;
const KEY_BYTES = 32;
const derivePbkdf2 = promisify(pbkdf2);

/** Reads and answers requests of MinIO's admin clients, whose payloads are encrypted with the caller's own secret key. */
@Injectable()
export class MadminPayloads {
  private readonly argon2 = new Argon2();

  constructor(private readonly identity: IdentityService) {}

  /**
   * The text of a request: decrypted, or as it is where its content type says `text/plain` or JSON.
   *
   * @throws AdminError `InvalidPayload`
   */
  async read(request: AdminRequest): Promise<string> {
    if (isPlain(request)) {
      return request.rawBody.toString('utf8');
    }
    const payload = parsePayload(request.rawBody);
    const password = await this.secretOf(request);
    const key =
      payload.keyDerivation === 'argon2id'
        ? await this.argon2.derive(password, payload.salt)
        : await derivePbkdf2(password, payload.salt, PBKDF2_ITERATIONS, KEY_BYTES, 'sha256');
    return openStream(payload.cipher, key, payload.nonce, payload.stream).toString('utf8');
  }

  /**
   * The answer to a request: encrypted for clients of MinIO, as it is for all others. Clients accept every algorithm, so
   * the cheapest to derive is used.
   *
   * @param type content type for those who get it as it is
   */
  async answer(request: AdminRequest, text: string, type: string): Promise<StreamableFile> {
    const plaintext = Buffer.from(text, 'utf8');
    if (!speaksMadmin(request)) {
      return new StreamableFile(plaintext, { type, length: plaintext.length });
    }
    const salt = randomBytes(32);
    const nonce = randomBytes(8);
    const cipher = 'aes-256-gcm';
    const key = await derivePbkdf2(await this.secretOf(request), salt, PBKDF2_ITERATIONS, KEY_BYTES, 'sha256');
    const stream = sealStream(cipher, key, nonce, plaintext);
    const payload = serializePayload({ keyDerivation: 'pbkdf2', cipher, salt, nonce, stream });
    return new StreamableFile(payload, { length: payload.length });
  }

  private async secretOf(request: AdminRequest): Promise<string> {
    const accessKeyId = request.principal?.accessKeyId;
    const credential = accessKeyId === undefined ? undefined : await this.identity.findCredential(accessKeyId);
    if (credential === undefined) {
      throw new AdminError('Unauthorized', 'The access key of this request is gone');
    }
    return credential.secretKey.reveal();
  }
}

/**
 * Whether a client expects encrypted answers. Those of MinIO name themselves, always sign, and never ask for JSON; a client
 * taken for the wrong kind learns nothing by it, because both forms mask secrets.
 */
export function speaksMadmin(request: Pick<AdminRequest, 'headers'>): boolean {
  const { authorization = '', accept = '' } = request.headers;
  const agent = request.headers['user-agent'] ?? '';
  return /^AWS4-HMAC-SHA256 /.test(authorization) && /^MinIO \(/.test(agent) && !/json/i.test(accept);
}

function isPlain(request: AdminRequest): boolean {
  return /^(text\/plain|application\/(?:[\w.+-]+\+)?json)\b/i.test(request.headers['content-type'] ?? '');
}
