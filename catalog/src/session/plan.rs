//! A statement to a logical plan, with every relation resolved before at its moment.

use super::dependencies::Undetermined;
use super::moments::Moments;
use super::references::{self, Numbered, References, Versioned};
use super::relations::{self, At, Name};
use super::{Extension, SessionInfo, calls, columns, errors, names, outputs, parse, selects};
use crate::basis::Moment;
use crate::error::{Error, Result, SqlState};
use crate::table::VersionRange;
use crate::timetravel::When;
use crate::timetravel::bound;
use crate::timetravel::clause::{Clause, Kind};
use crate::timetravel::planner::{VersionPlanner, told_apart};
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::file_options::file_type::FileType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ParamValues, ScalarValue, TableReference};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Cast, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF,
    TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{self, Statement};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Views within views go no deeper.
const MAX_VIEWS: usize = 32;

/// A statement's surroundings.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub info: &'a SessionInfo,
    pub extension: &'a dyn Extension,
    pub state: &'a SessionState,
    pub search_path: &'a [String],
    pub zone: &'a str,
    pub now: DateTime<Utc>,
    /// `daodb.history`: tables show all their versions.
    pub history: bool,
    /// Columns of tables do not say which value type they show: a recursive query's rows come of several columns, which the
    /// planner wants alike.
    pub bare: bool,
    pub parameters: Parameters<'a>,
    /// How many views the statement is inside of.
    pub depth: usize,
}

/// What is known of a statement's parameters.
#[derive(Clone, Copy)]
pub enum Parameters<'a> {
    /// Their values: the statement runs.
    Values(&'a [ScalarValue]),
    /// Their types as far as the client gave them, and the values of those that say when: the statement is described.
    Types { given: &'a [Option<DataType>], moments: &'a [Option<ScalarValue>] },
}

impl Parameters<'_> {
    fn fields(self) -> Vec<Option<FieldRef>> {
        let field = |ty: DataType| -> FieldRef { Arc::new(Field::new("p", ty, true)) };
        match self {
            Parameters::Values(vs) => vs.iter().map(|v| Some(field(v.data_type()))).collect(),
            Parameters::Types { given, .. } => {
                given.iter().cloned().map(|t| t.map(field)).collect()
            }
        }
    }
}

impl Scope<'_> {
    /// Schemas beside `public` and `dao` belong to the front end.
    pub fn schema_exists(&self, schema: &str) -> bool {
        schema == names::PUBLIC
            || schema == names::DAO
            || names::SYSTEM.contains(&schema)
            || !self.extension.relations(schema).is_empty()
    }
}

/// A planned query and the types of its parameters.
pub struct Planned {
    pub plan: LogicalPlan,
    pub parameters: Vec<Option<DataType>>,
    /// Whether columns may depend on the types of parameters before the planner has inferred these.
    pub called: bool,
}

/// Plans a query at a moment. `text` is what the statement was parsed from.
pub async fn query(
    scope: &Scope<'_>,
    at: &At,
    statement: Statement,
    text: &str,
) -> Result<Planned> {
    let mut statement = statement;
    // Names first: they are those of what the client wrote.
    columns::name_as_postgres(&mut statement);
    outputs::reread(&mut statement, scope.depth == 0)?;
    scope.extension.rewrite(&mut statement, scope.info)?;
    let found = references::references(
        &mut statement,
        text,
        scope.info.database.name(),
        scope.extension.table_functions(),
    )?;
    let scope = &Scope { bare: scope.bare || found.recursive, ..*scope };
    let mut types = scope.parameters.fields();
    types.resize(types.len().max(found.parameters), None);
    time_parameters(&found, &mut types);
    cast_parameters(&found, &mut types);
    check_given(scope, &found)?;
    let provider = sources(scope, at, &found, text).await?;
    let planner = SqlToRel::new_with_options(&provider, parser_options(scope.state));
    let mut context = PlannerContext::new().with_prepare_param_data_types(types.clone());
    let plan = planner
        .sql_statement_to_plan_with_context(statement, &mut context)
        .map_err(|e| errors::at(e, text))?;
    infer(&plan, &mut types)?;
    let plan = match scope.parameters {
        Parameters::Values(values) if found.parameters > 0 => plan
            .with_param_values(ParamValues::from(values.to_vec()))
            .map_err(|e| errors::at(e, text))?,
        _ => plan,
    };
    let parameters = types.into_iter().map(|t| t.map(|f| f.data_type().clone())).collect();
    let called = found.numbered.iter().any(|n| matches!(n, Numbered::Called(_)));
    Ok(Planned { plan, parameters, called })
}

/// The body of a view, at the moment that it is read at.
pub async fn view(scope: &Scope<'_>, at: &At, name: &str, sql: &str) -> Result<LogicalPlan> {
    if scope.depth >= MAX_VIEWS {
        return Err(Error::new(
            SqlState::Code("42P17"),
            format!("views are nested more than {MAX_VIEWS} deep, or one contains itself: {name}"),
        ));
    }
    let inside = Scope { depth: scope.depth + 1, parameters: Parameters::Values(&[]), ..*scope };
    let wrong = |e: Error| Error {
        position: None,
        ..Error::new(e.state, format!("view \"{name}\": {}", e.message))
    };
    let statements = parse::statements(sql).map_err(wrong)?;
    let [statement] = statements.as_slice() else {
        return Err(Error::new(SqlState::DATA_CORRUPTED, format!("view \"{name}\" is no query")));
    };
    let planned = query(&inside, at, statement.ast.as_ref().clone(), sql).await;
    let plan = planned.map_err(wrong)?.plan;
    let mark = format!("in {name} at {}, {:?}", at.rows.t(), at.rows.view());
    told_apart(plan, &mark).map_err(|e| errors::at(e, sql))
}

fn check_given(scope: &Scope<'_>, found: &References) -> Result<()> {
    match scope.parameters {
        Parameters::Values(values) if values.len() < found.parameters => Err(Error::new(
            SqlState::Code("08P01"),
            format!(
                "the statement has {} parameters, {} were bound",
                found.parameters,
                values.len()
            ),
        )),
        _ => Ok(()),
    }
}

/// A parameter that is a time by itself: `VERSION AS OF $1` takes a t, the other forms an instant.
fn time_parameters(found: &References, types: &mut [Option<FieldRef>]) {
    let mut is_time = |kind: Kind, e: &ast::Expr| {
        let ty = match kind {
            Kind::Version => DataType::Int64,
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        if let Some(n) = references::placeholder(e)
            && let Some(slot @ None) = types.get_mut(n - 1)
        {
            *slot = Some(Arc::new(Field::new("p", ty, true)));
        }
    };
    let versioned = found.numbered.iter().filter_map(|n| match n {
        Numbered::Versioned(v) => Some(v),
        Numbered::Called(_) => None,
    });
    for v in versioned {
        match &v.clause {
            Clause::AsOf(kind, e) => is_time(*kind, e),
            Clause::Range(_, x, y) => {
                is_time(Kind::SystemTime, x);
                is_time(Kind::SystemTime, y);
            }
            Clause::All => {}
        }
    }
}

/// The parameters of version clauses, from 0, that have a type before the statement is planned. None where it cannot be: what is
/// wrong is told then.
pub fn moments(
    mut statement: Statement,
    text: &str,
    database: &str,
    extension: &dyn Extension,
    given: &[Option<DataType>],
) -> Moments {
    let functions = extension.table_functions();
    let found = references::references(&mut statement, text, database, functions);
    let Ok(mut found) = found else { return Moments::default() };
    let mut types = Parameters::Types { given, moments: &[] }.fields();
    types.resize(types.len().max(found.parameters), None);
    time_parameters(&found, &mut types);
    cast_parameters(&found, &mut types);
    let mut moments = Moments::default();
    for numbered in &mut found.numbered {
        let Numbered::Versioned(v) = numbered else { continue };
        let _ = v.clause.bounds().into_iter().try_for_each(|bound| {
            ast::visit_expressions(&*bound, |e| {
                if let Some(n) = references::placeholder(e).and_then(|n| n.checked_sub(1))
                    && let Some(Some(ty)) = types.get(n)
                {
                    moments.0.insert(n, ty.data_type().clone());
                }
                ControlFlow::<()>::Continue(())
            })
        });
    }
    moments
}

/// A parameter that is cast is sent as what it is cast to, as in Postgres; the first cast decides.
fn cast_parameters(found: &References, types: &mut [Option<FieldRef>]) {
    for (n, ty) in &found.casts {
        if let Some(slot @ None) = types.get_mut(n - 1) {
            *slot = Some(Arc::new(Field::new("p", ty.clone(), true)));
        }
    }
}

/// What the planner found out of the types of parameters.
fn infer(plan: &LogicalPlan, types: &mut [Option<FieldRef>]) -> Result<()> {
    if types.iter().all(Option::is_some) {
        return Ok(());
    }
    for (name, field) in plan.get_parameter_fields()? {
        let n = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
        if let Some(slot @ None) = n.and_then(|n| types.get_mut(n - 1)) {
            *slot = field;
        }
    }
    Ok(())
}

/// As [`SessionState`] makes them from its settings.
fn parser_options(state: &SessionState) -> ParserOptions {
    let o = &state.config_options().sql_parser;
    ParserOptions {
        parse_float_as_decimal: o.parse_float_as_decimal,
        enable_ident_normalization: o.enable_ident_normalization,
        enable_options_value_normalization: o.enable_options_value_normalization,
        support_varchar_with_length: o.support_varchar_with_length,
        map_string_types_to_utf8view: o.map_string_types_to_utf8view,
        collect_spans: o.collect_spans,
        default_null_ordering: o.default_null_ordering.as_str().into(),
    }
}

async fn sources<'a>(
    scope: &Scope<'a>,
    at: &At,
    found: &References,
    text: &str,
) -> Result<Provider<'a>> {
    let mut plain = HashMap::with_capacity(found.plain.len());
    for name in &found.plain {
        // A name that is no relation may be that of a CTE: an error only if the planner asks for it.
        let source = relations::relation(scope, at, name, None).await;
        let source = source.and_then(|t| shown(scope, t));
        plain.insert(name.clone(), source);
    }
    let mut tables = Vec::with_capacity(found.numbered.len());
    for numbered in &found.numbered {
        let v = match numbered {
            Numbered::Versioned(v) => v,
            Numbered::Called(called) => {
                let table = calls::table(scope, at, called, text).await?;
                tables.push((TableReference::bare(called.name.as_str()), shown(scope, table)?));
                continue;
            }
        };
        let when = when(scope, at, v).await.map_err(|e| placed(e, v, text))?;
        let table = relations::relation(scope, at, &v.name, when).await;
        let table = table.map_err(|e| placed(e, v, text))?;
        let reference = match &v.name.schema {
            Some(schema) => TableReference::partial(schema.as_str(), v.name.relation.as_str()),
            None => TableReference::bare(v.name.relation.as_str()),
        };
        tables.push((reference, shown(scope, table)?));
    }
    let mut planners: Vec<Arc<dyn RelationPlanner>> =
        vec![Arc::new(Undetermined::default()), Arc::new(VersionPlanner { tables })];
    planners.extend(scope.state.relation_planners().iter().cloned());
    Ok(Provider { state: scope.state, plain, planners })
}

/// The table as this session sees it: its instants in the session's zone, so that dates, hours and texts are taken there.
fn shown(scope: &Scope<'_>, table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableSource>> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = table.schema();
    let source = provider_as_source(table);
    if scope.zone == "UTC" || schema.fields().iter().all(|f| *f.data_type() != utc) {
        return Ok(source);
    }
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(scope.zone.into()));
    let columns = schema.fields().iter().map(|f| {
        let column = Expr::Column(Column::from_name(f.name()));
        match *f.data_type() == utc {
            true => Expr::Cast(Cast::new(Box::new(column), zoned.clone())).alias(f.name()),
            false => column,
        }
    });
    let plan = LogicalPlanBuilder::scan("t", source, None)?.project(columns)?.build()?;
    Ok(provider_as_source(Arc::new(ViewTable::new(plan, None))))
}

/// An error about a relation points at its name.
fn placed(e: Error, v: &Versioned, text: &str) -> Error {
    use ast::Spanned;
    let start = v.written.span().start;
    match (e.position, errors::position(text, start.line, start.column)) {
        (None, Some(position)) => e.at(position),
        _ => e,
    }
}

/// When a version clause is; None: not known before its parameters are.
async fn when(scope: &Scope<'_>, at: &At, v: &Versioned) -> Result<Option<When>> {
    let all = Some(When::Versions(VersionRange::ALL));
    Ok(match &v.clause {
        Clause::All => all,
        Clause::AsOf(kind, e) => match moment(scope, *kind, e)? {
            Some(m) => {
                let now = scope.now.timestamp_micros();
                Some(When::AsOf(bound::as_of(m, &at.schema, now).await?))
            }
            None => None,
        },
        Clause::Range(kind, x, y) => {
            let ends = (moment(scope, Kind::SystemTime, x)?, moment(scope, Kind::SystemTime, y)?);
            match ends {
                (Some(x), Some(y)) => {
                    Some(When::Versions(bound::versions(*kind, x, y, &at.schema).await?))
                }
                _ => all,
            }
        }
    })
}

/// The value of a bound; None: it has a parameter, and the statement is only described.
fn moment(scope: &Scope<'_>, kind: Kind, e: &ast::Expr) -> Result<Option<Moment>> {
    if selects::has_subquery(e) {
        return Err(bound::not_constant("a subquery is none"));
    }
    let expr = expression(scope, e).map_err(|e| bound::not_constant(&Error::from(e).message))?;
    let Some(expr) = with_values(expr, scope.parameters)? else { return Ok(None) };
    match constant(scope, expr)? {
        Expr::Literal(value, _) => bound::of_value(&value, kind, scope.zone).map(Some),
        other => Err(bound::not_constant(&format!("{other} is none"))),
    }
}

/// An expression that names no column.
pub fn expression(scope: &Scope<'_>, e: &ast::Expr) -> DfResult<Expr> {
    let provider = Provider { state: scope.state, plain: HashMap::new(), planners: vec![] };
    let planner = SqlToRel::new_with_options(&provider, parser_options(scope.state));
    let mut context =
        PlannerContext::new().with_prepare_param_data_types(scope.parameters.fields());
    planner.sql_to_expr(e.clone(), &DFSchema::empty(), &mut context)
}

/// An expression worked out as far as it can be without rows.
pub fn constant(scope: &Scope<'_>, expr: Expr) -> Result<Expr> {
    let context = SimplifyContext::builder()
        .with_config_options(Arc::clone(scope.state.config_options()))
        .with_query_execution_start_time(Some(scope.now))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(expr, &DFSchema::empty())?;
    Ok(simplifier.simplify(expr)?)
}

/// A constant of a statement that takes values: of `EXECUTE p (1 + 1)`.
pub fn constant_value(scope: &Scope<'_>, e: &ast::Expr) -> Result<ScalarValue> {
    let provider = Provider { state: scope.state, plain: HashMap::new(), planners: vec![] };
    let planner = SqlToRel::new_with_options(&provider, parser_options(scope.state));
    let expr = planner.sql_to_expr(e.clone(), &DFSchema::empty(), &mut PlannerContext::new())?;
    match constant(scope, expr)? {
        Expr::Literal(value, _) => Ok(value),
        other => Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("a constant is expected, not {other}"),
        )),
    }
}

/// Parameters replaced by their values; None: one has none yet.
pub fn with_values(expr: Expr, parameters: Parameters<'_>) -> Result<Option<Expr>> {
    let mut open = false;
    let expr = expr.transform_up(|e| {
        let Expr::Placeholder(p) = &e else { return Ok(Transformed::no(e)) };
        let n = p.id.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
        let n = n.checked_sub(1);
        let value = match parameters {
            Parameters::Values(values) => n.and_then(|n| values.get(n)),
            Parameters::Types { moments, .. } => n.and_then(|n| moments.get(n)?.as_ref()),
        };
        match (value, parameters) {
            (Some(v), _) => Ok(Transformed::yes(Expr::Literal(v.clone(), None))),
            (None, Parameters::Values(_)) => {
                let text = format!("parameter {} was not bound", p.id);
                Err(Error::new(SqlState::Code("08P01"), text).into())
            }
            (None, Parameters::Types { .. }) => {
                open = true;
                Ok(Transformed::no(e))
            }
        }
    })?;
    Ok((!open).then_some(expr.data))
}

/// The planner's view of a statement's relations and of the session's functions.
struct Provider<'a> {
    state: &'a SessionState,
    plain: HashMap<Name, Result<Arc<dyn TableSource>>>,
    planners: Vec<Arc<dyn RelationPlanner>>,
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        let schema = name.schema().map(str::to_owned);
        let name = Name { schema, relation: name.table().to_owned() };
        match self.plain.get(&name) {
            Some(Ok(source)) => Ok(Arc::clone(source)),
            Some(Err(e)) => Err(e.clone().into()),
            None => Err(Error::new(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist"),
            )
            .into()),
        }
    }
    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> DfResult<Arc<dyn TableSource>> {
        let function = self.state.table_functions().get(name).cloned().ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
        })?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(
                self.state.execution_props().query_execution_start_time,
            )
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| simplifier.coerce(arg, &schema).and_then(|e| simplifier.simplify(e)))
            .map(|arg| arg.and_then(in_nanos))
            .collect::<DfResult<Vec<_>>>()?;
        let args = datafusion::catalog::TableFunctionArgs::new(&args, self.state);
        Ok(provider_as_source(function.create_table_provider_with_args(args)?))
    }
    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> DfResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }
    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }
    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.planners
    }
    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }
    fn get_file_type(&self, _: &str) -> DfResult<Arc<dyn FileType>> {
        Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "files are not written by SQL").into())
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }
    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }
    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }
    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }
    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }
    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }
    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }
    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}

/// The engine's table functions take timestamps in nanoseconds only.
fn in_nanos(arg: Expr) -> DfResult<Expr> {
    match arg {
        Expr::Literal(value @ ScalarValue::TimestampMicrosecond(..), metadata) => {
            let DataType::Timestamp(_, zone) = value.data_type() else {
                return Ok(Expr::Literal(value, metadata));
            };
            let nanos = value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
            Ok(Expr::Literal(nanos, metadata))
        }
        arg => Ok(arg),
    }
}

/// The columns of a described query, as they will be when it runs.
pub fn result_schema(
    scope: &Scope<'_>,
    plan: LogicalPlan,
    parameters: &[DataType],
    text: &str,
) -> Result<SchemaRef> {
    let types: Vec<ScalarValue> =
        parameters.iter().map(ScalarValue::try_from).collect::<DfResult<_>>()?;
    let plan = match types.is_empty() {
        true => plan,
        // Types settle what the columns are; a null of the type stands for any value of it.
        false => {
            plan.with_param_values(ParamValues::from(types)).map_err(|e| errors::at(e, text))?
        }
    };
    let options = scope.state.config_options();
    let analyzed = scope
        .state
        .analyzer()
        .execute_and_check(plan, options, |_, _| {})
        .map_err(|e| errors::at(e, text))?;
    let schema: SchemaRef = Arc::clone(analyzed.schema().inner());
    Ok(columns::shown(&schema).unwrap_or(schema))
}
