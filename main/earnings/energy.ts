/** What answering took: for so long, of which so long was measured; what the cards drew meanwhile and what they would have drawn at rest, in joules. */
export interface Energy {
  readonly servingMs: number
  readonly measuredMs: number
  readonly drawnJ: number
  readonly restJ: number
}

export const noEnergy: Energy = { servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0 }

export const addEnergy = (a: Energy, b: Energy): Energy => ({
  servingMs: a.servingMs + b.servingMs,
  measuredMs: a.measuredMs + b.measuredMs,
  drawnJ: a.drawnJ + b.drawnJ,
  restJ: a.restJ + b.restJ,
})
