//! What system relations and functions know while one statement runs.

use super::PgCatalog;
use super::objects::{Kind, Objects, view_columns};
use daodb_catalog::Result;
use daodb_catalog::session::{SessionInfo, view_schema};
use datafusion::catalog::Session;
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// The session as of this statement; the objects are made when first asked for, since most statements never do.
pub struct Bound {
    pub info: SessionInfo,
    objects: OnceLock<Arc<Objects>>,
    /// With the columns of views.
    planned: OnceCell<Arc<Objects>>,
}

impl Bound {
    pub fn new(info: &SessionInfo) -> Arc<Bound> {
        Arc::new(Bound { info: info.clone(), objects: OnceLock::new(), planned: OnceCell::new() })
    }

    /// Whether this is what that session knows: the same database at the same basis, under the same user and settings,
    /// with the same cursors.
    pub fn is_of(&self, info: &SessionInfo) -> bool {
        let own = &self.info;
        Arc::ptr_eq(&own.database, &info.database)
            && Arc::ptr_eq(&own.tables, &info.tables)
            && Arc::ptr_eq(&own.views, &info.views)
            && Arc::ptr_eq(&own.settings, &info.settings)
            && Arc::ptr_eq(&own.cursors, &info.cursors)
            && own.user == info.user
            && own.backend == info.backend
            && own.snapshot.t() == info.snapshot.t()
            && own.snapshot.view() == info.snapshot.view()
    }

    pub fn objects(&self) -> Result<Arc<Objects>> {
        if let Some(objects) = self.objects.get() {
            return Ok(Arc::clone(objects));
        }
        let made = Arc::new(Objects::read(&self.info)?);
        Ok(Arc::clone(self.objects.get_or_init(|| made)))
    }

    /// The same, with the columns of views, which need a planner. A view that cannot be planned any more (its table is gone
    /// at this basis) has no columns.
    pub async fn objects_with_views(&self, session: &dyn Session) -> DfResult<Arc<Objects>> {
        if self.info.views.is_empty() {
            return Ok(self.objects()?);
        }
        let plan = || async {
            let mut objects = Objects::read(&self.info)?;
            if let Some(state) = session.as_any().downcast_ref::<SessionState>() {
                plan_views(&mut objects, &self.info, state).await;
            }
            DfResult::Ok(Arc::new(objects))
        };
        self.planned.get_or_try_init(plan).await.map(Arc::clone)
    }
}

async fn plan_views(objects: &mut Objects, info: &SessionInfo, state: &SessionState) {
    let extension = PgCatalog::new();
    for relation in &mut objects.relations {
        let Kind::View(_) = &relation.kind else { continue };
        let Some(view) = info.views.iter().find(|v| v.0 == relation.name) else { continue };
        match view_schema(info, &extension, state, view).await {
            Ok(schema) => relation.columns = view_columns(&schema),
            Err(e) => tracing::debug!("view {} has no columns: {e}", relation.name),
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.info.database.name(), self.info.snapshot.t())
    }
}
