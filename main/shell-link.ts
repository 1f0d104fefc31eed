import { z } from 'zod'

/**
 * Messages on the private pipe between the desktop shell and the core process. The shell opens a link for each face
 * (a window, the tray) and passes that face's messages through unread; the core parses them by preload/api.
 */
const link = z.string().min(1).max(64)

export const shellToCore = z.discriminatedUnion('type', [
  z.object({ type: z.literal('open'), link }),
  z.object({ type: z.literal('message'), link, message: z.unknown() }),
  z.object({ type: z.literal('close'), link }),
  /** All processes of the shell, of which one draws the window; told anew when they change. */
  z.object({ type: z.literal('processes'), pids: z.array(z.int().positive()).max(256) }),
  z.object({ type: z.literal('stop') }),
])
export type ShellToCore = z.infer<typeof shellToCore>

export const coreToShell = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('message'), link, message: z.unknown() }),
  z.object({ type: z.literal('closed'), link, reason: z.string() }),
  /** The core could not start; the text is for the user. */
  z.object({ type: z.literal('failed'), message: z.string() }),
])
export type CoreToShell = z.infer<typeof coreToShell>

/** Longer than any orderly stop of the core takes; what is on disk is safe at every moment. */
export const coreStopLimitMs = 20_000
