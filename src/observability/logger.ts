import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { requestContext } from '../common/request-context';
import { redact, redactText } from './redaction';

export interface LoggerOptions {
  /** The least severe level that is written: fatal, error, warn, info, debug, trace or silent. */
  readonly level: string;
  /** `pretty` for people at a terminal, `json` for machines. */
  readonly format: 'pretty' | 'json';
  /** Where lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

/** Nest's own modules, which tell every module and route at each start. */
const CHATTY_LOGGERS: ReadonlySet<string> = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/**
 * Nest's logger over pino. Every line carries the request id, operation and principal of the request it was written for,
 * and passes the redaction first, so that a careless caller cannot leak a secret.
 */
export class StructuredLogger implements LoggerService {
  private readonly pino: PinoLogger;

  constructor(options: LoggerOptions) {
    this.pino = pino(
      {
        level: options.level,
        base: options.format === 'json' ? { pid: process.pid } : undefined,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        // Errors arrive here already reduced and redacted.
        serializers: { err: (error: unknown) => error },
        mixin: contextFields,
      },
      destinationOf(options),
    );
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest appends the class name as the last argument and, for errors, the stack before it. */
  private write(asked: Level, message: unknown, rest: readonly unknown[]): void {
    const extra = [...rest];
    const logger = typeof extra.at(-1) === 'string' ? (extra.pop() as string) : undefined;
    const level = asked === 'info' && logger !== undefined && CHATTY_LOGGERS.has(logger) ? 'debug' : asked;
    if (!this.pino.isLevelEnabled(level)) return;
    const fields: Record<string, unknown> = logger === undefined ? {} : { logger };
    for (const entry of extra) {
      if (entry instanceof Error) fields['err'] = redact(entry);
      else if (typeof entry === 'string') fields['stack'] = redactText(entry);
      else if (typeof entry === 'object' && entry !== null) Object.assign(fields, redact(entry));
    }
    if (message instanceof Error) {
      this.pino[level]({ ...fields, err: redact(message) }, redactText(message.message));
    } else if (typeof message === 'object' && message !== null) {
      this.pino[level]({ ...fields, ...(redact(message) as object) });
    } else {
      this.pino[level](fields, redactText(String(message)));
    }
  }
}

/** Makes the process's logger from its settings. */
export function createLogger(settings: {
  readonly logLevel: string;
  readonly logFormat: LoggerOptions['format'];
}): StructuredLogger {
  return new StructuredLogger({ level: settings.logLevel, format: settings.logFormat });
}

function contextFields(): Record<string, unknown> {
  const context = requestContext.getStore();
  if (context === undefined) return {};
  return { requestId: context.requestId, operation: context.operation, principal: context.principal };
}

function destinationOf(options: LoggerOptions): DestinationStream {
  if (options.format === 'json') return options.destination ?? pino.destination({ dest: 1, sync: false });
  return PinoPretty({
    colorize: options.destination === undefined && process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    // The message of a request says what a person wants to know; everything else is for machines.
    ignore:
      'pid,hostname,logger,requestId,operation,principal,method,status,remoteAddress,userAgent,bytesIn,bytesOut,milliseconds',
    singleLine: true,
    messageFormat: '{if logger}[{logger}] {end}{msg}',
    sync: true,
    ...(options.destination === undefined ? { destination: 1 } : { destination: options.destination as never }),
  });
}
