import { statfs } from 'node:fs/promises'
import { diskFull } from './download-problem.ts'

/** Room that must stay free on the disk. */
const sparedBytes = 64 * 1024 * 1024

/** Throws `disk-full` when the disk of a folder has no room for `neededBytes` more. */
export async function checkRoom(
  folder: string,
  neededBytes: number,
  freeBytes: (folder: string) => Promise<number> = freeBytesOf,
): Promise<void> {
  if ((await freeBytes(folder)) < neededBytes + sparedBytes) throw diskFull(neededBytes + sparedBytes)
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
