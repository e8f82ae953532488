import { Injectable } from '@nestjs/common';
import type { EventCause, ObjectEvent } from '../notifications/event-record';
import { EventPublisher } from '../notifications/event-publisher.service';
import type { DeleteResult, WriteResult } from '../object-storage/object-storage.types';
import { HOST_ID } from './request-ids';
import type { S3Call } from './s3-call';

/** What happened to the object of a call; the call tells the rest. */
export type CallEvent = Omit<ObjectEvent, 'key' | 'at'> & { readonly key?: string; readonly at?: Date };

/** Tells what calls did, before they are answered: what was acknowledged will be delivered. */
@Injectable()
export class S3Events {
  constructor(private readonly publisher: EventPublisher) {}

  /** Publishes one event of a call. */
  async publish(call: S3Call, event: CallEvent): Promise<void> {
    await this.publishAll(call, [event]);
  }

  async publishAll(call: S3Call, events: readonly CallEvent[]): Promise<void> {
    const complete = events.map((event) => ({ ...event, key: event.key ?? call.key, at: event.at ?? new Date() }));
    await this.publisher.publish(call.bucket, complete, causeOf(call));
  }

  /** Publishes what a deletion did to each key. */
  async publishDeletions(call: S3Call, results: readonly DeleteResult[]): Promise<void> {
    await this.publishAll(call, results.map(deletion));
  }

  /** Publishes the message by which targets learn that they were configured. */
  async publishTest(call: S3Call, targets: readonly string[]): Promise<void> {
    await this.publisher.publishTest(call.bucket, targets, causeOf(call));
  }
}

/** The event of a finished write. */
export function writeEvent(kind: 'Put' | 'Post' | 'Copy' | 'CompleteMultipartUpload', result: WriteResult): CallEvent {
  const { etag, size, versionId, lastModified } = result;
  return { name: `s3:ObjectCreated:${kind}`, etag, size, versionId, at: lastModified };
}

function deletion({ key, versionId, deleteMarkerVersionId, deletedAt }: DeleteResult): CallEvent {
  return versionId === undefined && deleteMarkerVersionId !== undefined
    ? { name: 's3:ObjectRemoved:DeleteMarkerCreated', key, versionId: deleteMarkerVersionId, at: deletedAt }
    : { name: 's3:ObjectRemoved:Delete', key, versionId, at: deletedAt };
}

function causeOf(call: S3Call): EventCause {
  return {
    principal: call.principal.name,
    sourceIp: (call.http.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    requestId: call.requestId,
    hostId: HOST_ID,
  };
}
