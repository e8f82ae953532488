/** Signature Version 4 by header with an unsigned payload: the least work a real client can do. */
import { createHash, createHmac } from 'node:crypto';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

export class Signer {
  #accessKey;
  #secretKey;
  #region;
  #day = '';
  #key;

  constructor({ accessKey, secretKey, region = 'us-east-1' }) {
    this.#accessKey = accessKey;
    this.#secretKey = secretKey;
    this.#region = region;
  }

  /**
   * Returns the complete request head, blank line included. Path and query must be in canonical form already.
   * @param {{method: string, host: string, path: string, query?: string, headers?: Record<string, string>}} request
   */
  head({ method, host, path, query = '', headers = {} }) {
    const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const signed = { ...headers, host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': date };
    const names = Object.keys(signed).sort();
    const list = names.join(';');
    const canonical = [
      method,
      path,
      query,
      ...names.map((name) => `${name}:${signed[name]}`),
      '',
      list,
      'UNSIGNED-PAYLOAD',
    ];
    const scope = `${date.slice(0, 8)}/${this.#region}/s3/aws4_request`;
    const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical.join('\n'))}`;
    const signature = createHmac('sha256', this.#keyOf(date.slice(0, 8)))
      .update(toSign)
      .digest('hex');
    const lines = names.map((name) => `${name}: ${signed[name]}`);
    lines.push(
      `authorization: AWS4-HMAC-SHA256 Credential=${this.#accessKey}/${scope}, SignedHeaders=${list}, Signature=${signature}`,
    );
    return `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  }

  #keyOf(day) {
    if (this.#day !== day) {
      const parts = [day, this.#region, 's3', 'aws4_request'];
      this.#key = parts.reduce((key, part) => hmac(key, part), `AWS4${this.#secretKey}`);
      this.#day = day;
    }
    return this.#key;
  }
}
