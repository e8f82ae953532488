import { DomainError } from './domain-error';

/** A failure for want of space, wherever the space is wanting: that of the blobs or that of the database. */
export function storageFull(cause: unknown): DomainError {
  return new DomainError('storage-full', 'There is no space left to store this', {
    cause,
    retryable: true,
    remedy:
      'Give the data directory and the database more space, or delete objects; their space is free some minutes later.',
  });
}
