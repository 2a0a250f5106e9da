/** Watches one kind of leak during one test. */
export interface LeakProbe {
  /** Notes what there is before the test. */
  start(): void | Promise<void>;
  /** One line for each thing that leaked, [] without any; asked again until it is [] or time is up. */
  findings(): readonly string[] | Promise<readonly string[]>;
  /** Takes away what `start()` installed. */
  stop(): void;
}
