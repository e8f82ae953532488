import { createHash } from 'node:crypto';
import { readFileSync, watch } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import { Logger } from '@nestjs/common';
import type { TlsFiles } from '../settings/settings';

const POLL_MS = 10_000;
const SETTLE_MS = 200;

/** Reads certificate chain and private key (PEM). */
export function readCertificate(files: TlsFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
}

/**
 * Gives the server a renewed certificate when the files change; open connections keep theirs. A pair that does not fit
 * together (one file written, the other not yet) is ignored until it does.
 */
export function keepCertificateFresh(server: HttpServer | HttpsServer, files: TlsFiles): void {
  if (!(server instanceof HttpsServer)) {
    return;
  }
  const logger = new Logger('TlsCertificate');
  let current = fingerprint(readCertificate(files));
  const reload = (): void => {
    try {
      const pair = readCertificate(files);
      if (fingerprint(pair) === current) {
        return;
      }
      createSecureContext(pair);
      server.setSecureContext(pair);
      current = fingerprint(pair);
      logger.log(`The TLS certificate was reloaded from ${files.certFile}`);
    } catch (error) {
      logger.warn(`The changed TLS certificate is not usable, the old one stays: ${(error as Error).message}`);
    }
  };
  let settling: NodeJS.Timeout | undefined;
  const changed = (): void => {
    clearTimeout(settling);
    settling = setTimeout(reload, SETTLE_MS).unref();
  };
  const watchers = [...new Set([dirname(files.certFile), dirname(files.keyFile)])].map((directory) =>
    watch(directory, { persistent: false }, changed),
  );
  // Mounted secrets and network file systems send no events.
  const poll = setInterval(reload, POLL_MS).unref();
  server.once('close', () => {
    clearInterval(poll);
    clearTimeout(settling);
    watchers.forEach((watcher) => watcher.close());
  });
}

function fingerprint(pair: { cert: Buffer; key: Buffer }): string {
  return createHash('sha256').update(pair.cert).update(pair.key).digest('hex');
}
