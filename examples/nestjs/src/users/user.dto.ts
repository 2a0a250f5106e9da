import { IsEmail, IsString, Length, MaxLength } from 'class-validator';

export class UserDto {
  @IsString()
  @Length(1, 100)
  readonly name!: string;

  @IsEmail()
  @MaxLength(200)
  readonly email!: string;
}
