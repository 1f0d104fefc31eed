import { appendFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDataDir } from './storage/files.ts'

const maxBytes = 5 << 20

/** Appends lines to a file readable by its owner only; keeps one older file, so that logs never fill the disk. Throws as `makeDataDir`. */
export function logFile(path: string): (line: string) => void {
  makeDataDir(dirname(path))
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return (line) => {
    try {
      if (size > maxBytes) {
        renameSync(path, `${path}.1`)
        size = 0
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 })
      size += line.length + 1
    } catch {
      // A full disk must not stop the app from telling the user about it: the line is lost, the screens still speak.
      size = 0
    }
  }
}
