import { IsInt, Max, Min } from 'class-validator';

const MOST = 1_000_000;

export class StockDto {
  @IsInt()
  @Min(0)
  @Max(MOST)
  readonly quantity!: number;
}

export class ReservationDto {
  @IsInt()
  @Min(1)
  @Max(MOST)
  readonly quantity!: number;
}
