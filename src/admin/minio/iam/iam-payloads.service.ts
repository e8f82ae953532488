import { Injectable, type StreamableFile, ValidationPipe } from '@nestjs/common';
import { AdminError } from '../../admin-error';
import type { AdminRequest } from '../../admin-request';
import { createValidationPipe } from '../../validation.pipe';
import { MadminPayloads } from '../madmin-payloads.service';

/**
 * Bodies of identity requests: encrypted JSON from clients of MinIO, plain JSON from all others and for RustFS' paths. What
 * is JSON as it stands is never encrypted: the head of an encrypted body is random bytes.
 */
@Injectable()
export class IamPayloads {
  // Clients of later versions send more than is known here.
  private readonly validation: ValidationPipe = createValidationPipe({ forbidNonWhitelisted: false });

  constructor(private readonly payloads: MadminPayloads) {}

  /** @throws AdminError `InvalidPayload`, `InvalidRequest` */
  async read<T extends object>(request: AdminRequest, type: new () => T): Promise<T> {
    const plain: unknown = request.body;
    const body = plain ?? parsed(request.originalUrl.startsWith('/rustfs/') ? '' : await this.payloads.read(request));
    return (await this.validation.transform(body, { type: 'body', metatype: type })) as T;
  }

  async answer(request: AdminRequest, value: object): Promise<StreamableFile> {
    return this.payloads.answer(request, JSON.stringify(value), 'application/json');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError('InvalidPayload', 'The body is not JSON');
  }
}
