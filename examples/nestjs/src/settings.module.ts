import { type DynamicModule, Global, Inject, Module } from '@nestjs/common';
import type { Settings } from './settings.js';

const SETTINGS = Symbol('settings');

/** Gives a constructor the settings of the application. */
export const InjectSettings = (): ParameterDecorator & PropertyDecorator => Inject(SETTINGS);

@Global()
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: what a module of Nest looks like
export class SettingsModule {
  static forRoot(settings: Settings): DynamicModule {
    return {
      module: SettingsModule,
      providers: [{ provide: SETTINGS, useValue: settings }],
      exports: [SETTINGS],
    };
  }
}
