import { IsInt, IsString, Length, Max, Min } from 'class-validator';

export class JobOrderDto {
  @IsString()
  @Length(1, 200)
  readonly text!: string;

  @IsInt()
  @Min(0)
  @Max(10_000)
  readonly durationMs: number = 0;
}
