/**
 * Resources whose allow policy can hold a grant: projects, folders and organisations.
 *
 * 1. One resource has one name here: a project goes by its id, folders and organisations by their number. A project's
 *    number is a second name of the same thing and is refused, so that two askings never mean the same right.
 * 2. A name without a prefix is a project's.
 */

export type Kind = "projects" | "folders" | "organizations"

/** https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin */
const projectId = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/u
/** Of folders and organisations, without leading zeros. */
const number = /^[1-9]\d{0,18}$/u

/** A resource's one name, or null. */
export const canonical = (text: string): string | null => {
  const [kind, id, ...rest] = text.includes("/") ? text.split("/") : ["projects", text]
  if (id === undefined || rest.length > 0) return null
  if (kind === "projects") return projectId.test(id) ? `projects/${id}` : null
  return (kind === "folders" || kind === "organizations") && number.test(id) ? `${kind}/${id}` : null
}

export const isCanonical = (text: string): boolean => canonical(text) === text

/** The kind of a canonical name. */
export const kindOf = (name: string): Kind =>
  name.startsWith("folders/") ? "folders" : name.startsWith("organizations/") ? "organizations" : "projects"

/** A project's id; null for anything else. */
export const projectOf = (name: string): string | null => /^projects\/(.+)$/u.exec(name)?.[1] ?? null

/** A permission of the resource's own kind: `resourcemanager.folders.setIamPolicy`. */
export const permissionOn = (name: string, verb: "getIamPolicy" | "setIamPolicy"): string =>
  `resourcemanager.${kindOf(name)}.${verb}`
