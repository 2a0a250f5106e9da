import { GCProfiler, getHeapStatistics } from 'node:v8';

/**
 * Bytes that `work` allocates on V8's heap, counted exactly: what the heap grew between two garbage
 * collections, summed over all of them. Memory outside that heap (the contents of Buffers, what a native
 * addon allocates) is not in it.
 */
export async function allocatedBytes(work: () => Promise<unknown>): Promise<number> {
  const profiler = new GCProfiler();
  profiler.start();
  let level = getHeapStatistics().used_heap_size;
  await work();
  const end = getHeapStatistics().used_heap_size;
  let bytes = 0;
  for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
    bytes += beforeGC.heapStatistics.usedHeapSize - level;
    level = afterGC.heapStatistics.usedHeapSize;
  }
  return bytes + end - level;
}
