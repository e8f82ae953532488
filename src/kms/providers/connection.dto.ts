import { IsBoolean, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { IsAttemptTime } from '../settings-rules';

/** Fields that the configuration document of every KMS behind a TLS connection of ours has. */
export class ConnectionDto {
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @IsOptional()
  @IsString()
  ca_file?: string;

  @IsOptional()
  @Matches(/-----BEGIN CERTIFICATE-----/, { message: 'ca_pem must hold PEM certificates' })
  ca_pem?: string;

  @IsOptional()
  @IsString()
  client_cert_file?: string;

  @IsOptional()
  @IsString()
  client_key_file?: string;

  @IsOptional()
  @IsBoolean()
  tls_skip_verify?: boolean;

  @IsOptional()
  @IsString()
  tls_server_name?: string;

  @IsOptional()
  @IsAttemptTime()
  timeout?: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(10)
  max_retries?: number;

  @IsOptional()
  @IsString()
  comment?: string;
}
