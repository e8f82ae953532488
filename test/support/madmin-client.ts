import { createCipheriv, createDecipheriv, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { sign } from 'aws4';
import { argon2id } from 'hash-wasm';

/** How the payloads of a client are encrypted: ids 0, 1 and 2 of madmin's EncryptData. */
export type PayloadKind = 0 | 1 | 2;

export interface MadminAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Decrypted where the answer was encrypted. */
  readonly text: string;
  readonly encrypted: boolean;
}

const CHUNK = 16_384;

/** An admin client of MinIO written from the description of its wire alone, so that both ends do not share their errors. */
export class MadminClient {
  constructor(
    private readonly endpoint: string,
    private readonly accessKeyId: string,
    private readonly secretAccessKey: string,
    private readonly kind: PayloadKind = 0,
    private readonly sessionToken?: string,
    private readonly salt?: Buffer,
  ) {}

  async call(method: string, path: string, text?: string, headers: Record<string, string> = {}): Promise<MadminAnswer> {
    return this.send(method, path, text === undefined ? Buffer.alloc(0) : await this.encrypt(text), headers);
  }

  /** Sends a body as it is. */
  async send(method: string, path: string, body: Buffer, headers: Record<string, string> = {}): Promise<MadminAnswer> {
    const { host } = new URL(this.endpoint);
    const signed = sign(
      {
        host,
        path,
        method,
        service: 's3',
        region: 'us-east-1',
        headers: {
          Host: host,
          'X-Amz-Content-Sha256': createHash('sha256').update(body).digest('hex'),
          'User-Agent': 'MinIO (linux; amd64) madmin-go/3.0.70 mc/DEVELOPMENT',
          ...headers,
        },
      },
      {
        accessKeyId: this.accessKeyId,
        secretAccessKey: this.secretAccessKey,
        ...(this.sessionToken === undefined ? {} : { sessionToken: this.sessionToken }),
      },
    );
    const response = await fetch(`${this.endpoint}${path}`, {
      method,
      headers: signed.headers as Record<string, string>,
      body: body.length === 0 ? undefined : Uint8Array.from(body),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const encrypted = response.headers.get('content-type') === 'application/octet-stream';
    const answer = encrypted ? await this.decrypt(bytes) : bytes;
    return { status: response.status, headers: response.headers, text: answer.toString('utf8'), encrypted };
  }

  private async encrypt(text: string): Promise<Buffer> {
    const salt = this.salt ?? randomBytes(32);
    const nonce = randomBytes(8);
    const key = await this.key(salt, this.kind);
    const plaintext = Buffer.from(text);
    const bare = seal(this.kind, key, counted(nonce, 0), Buffer.alloc(0), Buffer.alloc(0));
    const chunks: Buffer[] = [Buffer.concat([salt, Buffer.from([this.kind]), nonce])];
    for (let index = 0; index === 0 || index * CHUNK < plaintext.length; index++) {
      const end = (index + 1) * CHUNK;
      const aad = Buffer.concat([Buffer.from([end >= plaintext.length ? 0x80 : 0]), bare]);
      chunks.push(seal(this.kind, key, counted(nonce, index + 1), aad, plaintext.subarray(index * CHUNK, end)));
    }
    return Buffer.concat(chunks);
  }

  private async decrypt(bytes: Buffer): Promise<Buffer> {
    const kind = bytes[32] as PayloadKind;
    const nonce = bytes.subarray(33, 41);
    const key = await this.key(bytes.subarray(0, 32), kind);
    const bare = seal(kind, key, counted(nonce, 0), Buffer.alloc(0), Buffer.alloc(0));
    const chunks: Buffer[] = [];
    for (let at = 41, counter = 1; at < bytes.length; at += CHUNK + 16, counter++) {
      const chunk = bytes.subarray(at, at + CHUNK + 16);
      const last = at + CHUNK + 16 >= bytes.length;
      const decipher = createDecipheriv(cipherOf(kind), key, counted(nonce, counter), { authTagLength: 16 });
      decipher.setAAD(Buffer.concat([Buffer.from([last ? 0x80 : 0]), bare]));
      decipher.setAuthTag(chunk.subarray(-16));
      chunks.push(decipher.update(chunk.subarray(0, -16)), decipher.final());
    }
    return Buffer.concat(chunks);
  }

  private async key(salt: Buffer, kind: PayloadKind): Promise<Buffer> {
    const password = this.secretAccessKey;
    return kind === 2
      ? pbkdf2Sync(password, salt, 8192, 32, 'sha256')
      : Buffer.from(
          await argon2id({
            password,
            salt: Uint8Array.from(salt),
            iterations: 1,
            memorySize: 65_536,
            parallelism: 4,
            hashLength: 32,
            outputType: 'binary',
          }),
        );
  }
}

function seal(kind: PayloadKind, key: Buffer, nonce: Buffer, aad: Buffer, plaintext: Buffer): Buffer {
  const cipher = createCipheriv(cipherOf(kind), key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function cipherOf(kind: PayloadKind): 'aes-256-gcm' {
  return (kind === 1 ? 'chacha20-poly1305' : 'aes-256-gcm') as 'aes-256-gcm';
}

function counted(nonce: Buffer, counter: number): Buffer {
  const whole = Buffer.alloc(12);
  nonce.copy(whole);
  whole.writeUInt32LE(counter, 8);
  return whole;
}
