import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A tree of files as the kernel shows it, written by hand: cards under `sys`, programs with their open files under `proc`. */
export interface FakeProc {
  readonly root: string
  /** Writes a file anywhere in the tree. */
  write(path: string, text: string): void
  /** A program with open files: by number what each leads to, and what the kernel tells of it. */
  program(pid: number, name: string, files: Readonly<Record<string, readonly [link: string, info?: string]>>): void
  end(pid: number): void
}

export function fakeProc(): FakeProc {
  const root = mkdtempSync(join(tmpdir(), 'cocoon-proc-'))
  mkdirSync(join(root, 'proc'))
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const end = (pid: number): void => rmSync(join(root, 'proc', String(pid)), { recursive: true, force: true })
  return {
    root,
    write,
    end,
    program: (pid, name, files) => {
      end(pid)
      write(`proc/${pid}/comm`, `${name}\n`)
      mkdirSync(join(root, 'proc', String(pid), 'fd'))
      for (const [file, [link, info]] of Object.entries(files)) {
        symlinkSync(link, join(root, 'proc', String(pid), 'fd', file))
        write(`proc/${pid}/fdinfo/${file}`, info ?? 'pos:\t0\nflags:\t02\n')
      }
    },
  }
}

/** What a driver tells of a client, after the kernel's gpu/drm-usage-stats. */
export function fdinfo(driver: string, pciId: string, client: number, lines: readonly string[]): string {
  const head = ['pos:\t0', 'flags:\t02100002', 'mnt_id:\t26', 'ino:\t1234', `drm-driver:\t${driver}`]
  return [...head, `drm-client-id:\t${client}`, `drm-pdev:\t${pciId}`, ...lines, ''].join('\n')
}
