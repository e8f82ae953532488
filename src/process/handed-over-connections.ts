import type { ChildProcess, Serializable } from 'node:child_process';

/** A connection as the cluster module hands it to a worker. */
interface ConnectionHandle {
  close(): void;
}

/**
 * Closes connections that were handed to a worker which ended without saying that it took them. The cluster module keeps
 * its own end of such a connection open, so that the client would wait for an answer that nobody gives.
 *
 * @param worker a process just forked by the cluster module
 */
export function closeConnectionsLostWith(worker: ChildProcess): void {
  const untaken = new Map<unknown, ConnectionHandle>();
  const send = worker.send.bind(worker) as (...values: unknown[]) => boolean;
  worker.send = (message: Serializable, ...rest: unknown[]): boolean => {
    const [handle] = rest;
    if (isConnection(handle)) {
      untaken.set((message as { seq?: unknown }).seq, handle);
    }
    return send(message, ...rest);
  };
  worker.on('internalMessage', ({ ack }: { ack?: unknown }) => untaken.delete(ack));
  // Unlike the end of the process, this comes after its last answer was read from the channel.
  worker.once('close', () => {
    for (const handle of untaken.values()) {
      handle.close();
    }
    untaken.clear();
  });
}

function isConnection(handle: unknown): handle is ConnectionHandle {
  return typeof (handle as Partial<ConnectionHandle> | undefined)?.close === 'function';
}
