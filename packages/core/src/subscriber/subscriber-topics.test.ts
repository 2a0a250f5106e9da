import { expect, test } from 'vitest';
import type { TopicMember } from './subscriber-topic.js';
import { type TopicChange, TopicTable } from './subscriber-topics.js';

const NOBODY: TopicMember = {
  deliver() {},
  checkConfirmed() {},
  interrupt() {},
  cancel() {},
  refuse() {},
};

function member(): TopicMember {
  return { ...NOBODY };
}

function said(changes: readonly TopicChange[]): string[] {
  return changes.map(({ command, topics }) => [command, ...topics.map(({ name }) => name)].join(' '));
}

/** Says what there is to say, and has the server do all of it. */
function sync(table: TopicTable): string[] {
  const changes = table.takeChanges();
  for (const change of changes) table.applied(change);
  return said(changes);
}

test('says each channel once, by kind, and nothing twice', () => {
  const table = new TopicTable();
  table.join('subscribe', ['a', 'b'], member());
  table.join('subscribe', ['b', 'c'], member());
  table.join('psubscribe', ['a'], member());
  table.join('ssubscribe', ['a'], member());
  expect(sync(table)).toEqual(['subscribe a b c', 'psubscribe a', 'ssubscribe a']);
  expect(sync(table)).toEqual([]);
  expect([table.size, table.isStale]).toEqual([5, false]);
});

test('the last member of a channel takes it off the server and out of the table', () => {
  const table = new TopicTable();
  const [first, second] = [member(), member()];
  const topics = table.join('subscribe', ['a'], first);
  table.join('subscribe', ['a'], second);
  sync(table);
  table.leave(topics, first);
  expect(sync(table)).toEqual([]);
  table.leave(topics, second);
  expect(table.size).toBe(0);
  expect(sync(table)).toEqual(['unsubscribe a']);
  expect(table.find('subscribe', 'a')).toBeUndefined();
});

test('who comes and goes before anything is said leaves nothing', () => {
  const table = new TopicTable();
  const one = member();
  table.leave(table.join('subscribe', ['a'], one), one);
  expect(table.find('subscribe', 'a')).toBeUndefined();
  expect(sync(table)).toEqual([]);
});

test('who goes while the server is asked is undone afterwards, over the same topic', () => {
  const table = new TopicTable();
  const one = member();
  const topics = table.join('subscribe', ['a'], one);
  const [change] = table.takeChanges();
  table.leave(topics, one);
  expect(table.find('subscribe', 'a')).toBe(topics[0]);
  table.applied(change as TopicChange);
  expect(sync(table)).toEqual(['unsubscribe a']);
});

test('who comes while the server is told to stop is subscribed again afterwards', () => {
  const table = new TopicTable();
  const one = member();
  const topics = table.join('subscribe', ['a'], one);
  sync(table);
  table.leave(topics, one);
  const [change] = table.takeChanges();
  const again = table.join('subscribe', ['a'], member());
  expect(again[0]).toBe(topics[0]);
  expect(again[0]?.state).toBe('unsubscribing');
  table.applied(change as TopicChange);
  expect(sync(table)).toEqual(['subscribe a']);
});

test('of a refused command each channel goes alone, once', () => {
  const table = new TopicTable();
  table.join('subscribe', ['a', 'b'], member());
  const [change] = table.takeChanges();
  table.isolate(change as TopicChange);
  expect(sync(table)).toEqual(['subscribe a', 'subscribe b']);
  table.reset();
  expect(sync(table)).toEqual(['subscribe a b']);
});

test('an UNSUBSCRIBE that is refused goes alone too, and is given up then', () => {
  const table = new TopicTable();
  const one = member();
  const topics = table.join('subscribe', ['a', 'b'], one);
  sync(table);
  table.leave(topics, one);
  const [change] = table.takeChanges();
  table.isolate(change as TopicChange);
  const alone = table.takeChanges();
  expect(said(alone)).toEqual(['unsubscribe a', 'unsubscribe b']);
  for (const topic of topics) table.refused(topic);
  expect([table.isStale, table.find('subscribe', 'a')]).toEqual([false, undefined]);
});

test('a lost connection makes the server forget: what is wanted is said again, the rest is gone', () => {
  const table = new TopicTable();
  const one = member();
  const left = table.join('subscribe', ['gone'], one);
  table.join('subscribe', ['stays'], member());
  sync(table);
  table.leave(left, one);
  table.takeChanges();
  table.reset();
  expect(table.find('subscribe', 'gone')).toBeUndefined();
  expect(sync(table)).toEqual(['subscribe stays']);
});

test('a command has at most a thousand channels', () => {
  const table = new TopicTable();
  const names = Array.from({ length: 2_001 }, (_, index) => `${index}`);
  table.join('subscribe', names, member());
  expect(table.takeChanges().map(({ topics }) => topics.length)).toEqual([1_000, 1_000, 1]);
});
