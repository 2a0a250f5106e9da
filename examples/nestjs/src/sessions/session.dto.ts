import { IsString, Length } from 'class-validator';

export class SessionDto {
  @IsString()
  @Length(1, 100)
  readonly name!: string;
}
