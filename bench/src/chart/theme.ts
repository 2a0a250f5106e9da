export type ThemeName = 'light' | 'dark';

/** Each chart is drawn once for each theme, on its own ground: readable wherever it is shown. */
export interface Theme {
  readonly ground: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  /** The pool. */
  readonly accent: string;
  /** What is only there to compare with. */
  readonly bar: string;
  /** Told apart by people who see colours differently too; the name stands beside each line besides. */
  readonly lines: readonly string[];
}

export const THEMES: Readonly<Record<ThemeName, Theme>> = {
  light: {
    ground: '#ffffff',
    text: '#1f2328',
    muted: '#59636e',
    grid: '#d8dee4',
    accent: '#c8102e',
    bar: '#9aa5b1',
    lines: ['#0072b2', '#b35900', '#007a5a', '#8c3f7a', '#5a4fcf', '#7a6a00'],
  },
  dark: {
    ground: '#0d1117',
    text: '#f0f6fc',
    muted: '#9198a1',
    grid: '#30363d',
    accent: '#ff6b7a',
    bar: '#5b6673',
    lines: ['#58b4f0', '#f0a050', '#3fc79a', '#d48ac4', '#a79bff', '#d8c84a'],
  },
};
