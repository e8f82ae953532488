/** What primary and workers tell each other over the cluster channel. */
export interface ReadyMessage {
  readonly type: 'strongroom:ready';
  /** The port it listens on, the same in every worker. */
  readonly port: number;
}

export interface ShutdownMessage {
  readonly type: 'strongroom:shutdown';
}

export function isReadyMessage(message: unknown): message is ReadyMessage {
  return hasType(message, 'strongroom:ready');
}

export function isShutdownMessage(message: unknown): message is ShutdownMessage {
  return hasType(message, 'strongroom:shutdown');
}

function hasType(message: unknown, type: string): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === type;
}
