import type { FileHandle } from 'node:fs/promises'
import { writeFailure } from '../base/atomic-file.ts'

/**
 * Writes all of `bytes` at `at`: the system may take less in one go.
 * @throws Failure `disk-full` or `write-failed`
 */
export async function writeWhole(file: FileHandle, path: string, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await failing(path, file.write(bytes, done, bytes.length - done, at + done))
    done += bytesWritten
  }
}

/**
 * What became of a step that brings written bytes to the disk: a full or broken one may tell so only then.
 * @throws Failure `disk-full` or `write-failed`
 */
export async function failing<T>(path: string, step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    throw writeFailure(path, error)
  }
}
