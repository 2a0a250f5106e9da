/** The variables that a template reads its settings from. */
export type Environment = Readonly<Record<string, string>>;

/** A template that listens. */
export interface TemplateApp {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Ends it as a signal would: the framework's way. */
  close(): Promise<void>;
}

/** What the suite has to know of one template. */
export interface TemplateHarness {
  /** Name of its folder. */
  readonly name: string;
  /** Starts it in this process, on a free port. */
  start(env: Environment): Promise<TemplateApp>;
}
